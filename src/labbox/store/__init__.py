"""Images on this disk: blobs, unpacked layers, names, garbage; never runs a container, never speaks to a network."""
