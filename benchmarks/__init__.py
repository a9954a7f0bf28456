"""How fast and how large labbox is, beside docker and mmdebstrap in the same run: `python -m benchmarks`."""
