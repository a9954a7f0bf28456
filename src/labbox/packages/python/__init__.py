"""Python packages elsewhere: asks uv what is wanted and the index where it is; never installs."""
