"""Images on this disk: blobs, unpacked layers, names, garbage; never runs a container and never speaks to the network."""
