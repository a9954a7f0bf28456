"""Images in archives that travel: docker's `save` format and OCI image layouts, as one tar or as a folder."""
