"""Names of containers and volumes, by docker's rule."""

_LETTERS_AND_DIGITS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_INSIDE = _LETTERS_AND_DIGITS | frozenset("_.-")


def is_name(text: str) -> bool:
    """True for `[a-zA-Z0-9][a-zA-Z0-9_.-]+`."""
    return len(text) > 1 and text[0] in _LETTERS_AND_DIGITS and _INSIDE.issuperset(text)
