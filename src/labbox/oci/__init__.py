"""The Open Container Initiative's image format as immutable values; never touches a file, a socket or a process."""
