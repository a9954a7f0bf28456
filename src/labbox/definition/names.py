"""Names of labs: what a folder's or a person's name becomes."""

import hashlib
import re
import unicodedata

FALLBACK_NAME = "lab"
_MAX_CHARACTERS = 63  # a host name's part (RFC 1035), which a lab's name also is


def make_lab_name(text: str) -> str:
    """The name in [a-z0-9][a-z0-9_.-]+, as near to the text as that allows.

    Where nothing is left, as of a name in Japanese, it is `lab-` and six digits that follow from the text.
    A container's name has two characters at least (docker's rule): `q` becomes `lab-q`.
    """
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9_.]+", "-", plain).lstrip("-_.")[:_MAX_CHARACTERS].rstrip("-_.")
    if not name:
        return f"{FALLBACK_NAME}-{hashlib.sha256(text.encode()).hexdigest()[:6]}" if text.strip() else FALLBACK_NAME
    return name if len(name) > 1 else f"{FALLBACK_NAME}-{name}"
