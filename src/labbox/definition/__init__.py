"""What the researcher wrote, as values; never opens a file, never looks at the machine."""
