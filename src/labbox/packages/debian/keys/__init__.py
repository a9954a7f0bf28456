"""Keys of the Debian archive that labbox trusts, as data."""
