"""labbox, a research laboratory in a box: containers, images and labs without Docker and without root."""

__version__ = "0.1.0"
