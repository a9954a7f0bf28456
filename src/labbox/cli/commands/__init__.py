"""One file per command: its flag table (COMMAND) and what it does with them (execute)."""
