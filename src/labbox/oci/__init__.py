"""The image format of the Open Container Initiative as immutable values; never touches a file, a socket or a process."""
