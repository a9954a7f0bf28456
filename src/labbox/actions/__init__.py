"""One file per verb: the Python API behind the command line; never prints."""
