"""JSON with one spelling for one value, so that equal documents have equal digests."""

from labbox.lightweight_typing import Any


def encode_canonical(document: Any) -> bytes:
    """A document as UTF-8 JSON: keys sorted, no white space, nothing escaped that need not be."""
    import json  # noqa: PLC0415  (whoever writes images has the time; starting a container only reads)

    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
