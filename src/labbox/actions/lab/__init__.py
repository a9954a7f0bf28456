"""A project folder's lab on this machine: its record, its container, its ports; the verbs stand beside this folder."""
