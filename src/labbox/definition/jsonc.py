"""JSON with comments and trailing commas, as devcontainer.json is written (https://containers.dev/implementors/spec/)."""

import json
import re

# a string, a comment of either form, or a comma before a closing bracket; strings are kept as they are
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)


def parse_jsonc(text: str) -> object:
    """The document; raises ValueError with line and column of the original text."""
    # comments become blanks of equal shape, so that a fault's place stays true
    plain = _TOKEN.sub(lambda match: match[0] if match[0].startswith('"') else re.sub(r"[^\n]", " ", match[0]), text)
    plain = _TRAILING_COMMA.sub(lambda match: match[1] or " ", plain)
    try:
        return json.loads(plain)
    except RecursionError:
        raise ValueError("nested too deeply") from None
