"""The JSON schema docs/labbox.schema.json: `python -m labbox.cli.labbox_schema`."""

import sys

from labbox.definition.schema import render_schema

DEFAULT_PATH = "docs/labbox.schema.json"

if __name__ == "__main__":
    text = render_schema()
    with open(sys.argv[1] if len(sys.argv) > 1 else DEFAULT_PATH, "w", encoding="utf-8") as file:
        file.write(text)
