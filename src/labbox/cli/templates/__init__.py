"""Go templates as `--format` takes them; never reads anything but the values handed in."""
