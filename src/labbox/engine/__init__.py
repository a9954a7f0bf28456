"""Runs containers from images; never builds, never downloads."""
