"""JSON with one spelling for one value, so that equal documents have equal digests."""

import json

from labbox.lightweight_typing import Any


def encode_canonical(document: Any) -> bytes:
    """A document as UTF-8 JSON: keys sorted, no white space, nothing escaped that need not be."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
