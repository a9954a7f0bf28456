"""The JSON schema of labbox.toml for editors, from the table that the parser uses."""

import json

from labbox.definition.keys import LABBOX_FILE


def make_schema() -> dict[str, object]:
    """The schema (JSON Schema, draft 7: the one that editors of TOML understand)."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "labbox.toml",
        "description": "What a lab of labbox is made of; the same tables under [tool.labbox] in pyproject.toml.",
        **LABBOX_FILE.schema(),
    }


def render_schema() -> str:
    """The schema as a file's text."""
    return json.dumps(make_schema(), indent=2, ensure_ascii=False) + "\n"
