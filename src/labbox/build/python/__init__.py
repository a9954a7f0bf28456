"""Wheels become layers of an image, without a compressor and without an installer."""
