"""A Dockerfile → an image: read, planned as stages, run step by step with a cache. It never prints."""
