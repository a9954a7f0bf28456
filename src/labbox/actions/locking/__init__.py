"""The steps by which `labbox lock` comes to a lock: the system, then the Python packages of lab and services."""
