"""Debian systems from locked packages: unpacked in parallel, configured in a chamber, made the same every time."""
