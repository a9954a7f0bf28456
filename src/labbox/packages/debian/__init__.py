"""The Debian archive: signed indexes, versions, dependencies, downloads; never runs apt or dpkg on the host."""
