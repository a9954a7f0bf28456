"""Docker's way to write mounts and ports, parsed into the values of a specification; never looks at the host."""
