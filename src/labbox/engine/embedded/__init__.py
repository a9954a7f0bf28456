"""The container engine in pure Python: namespaces, overlay, a monitor and an init per container; no daemon."""
