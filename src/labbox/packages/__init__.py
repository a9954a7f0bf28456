"""Packages elsewhere, as their archives describe them; never unpacks anything into an image."""
