"""What is measured, one file per subject; `MEASUREMENTS` in `benchmarks.command` is the list."""
