"""`--chmod`: numbers in octal, or letters as chmod(1) takes them."""

import re

from labbox.errors import UsageError

_CLAUSE = re.compile(r"([ugoa]*)([-+=])([rwxXst]*)$")
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}
_LARGEST = 0o7777


def change_mode(old: int, text: str, *, is_folder: bool) -> int:
    """The mode after `--chmod=TEXT`; raises UsageError when the text is no mode."""
    if re.fullmatch("[0-7]{1,5}", text):
        if int(text, 8) > _LARGEST:
            raise UsageError(f"invalid chmod parameter: `{text}`: it should be octal and between 0 and 07777")
        return int(text, 8)
    for clause in text.split(","):
        match = _CLAUSE.match(clause)
        if match is None:
            raise UsageError(f"invalid chmod parameter: `{text}`", hint="write it like 644 or u=rwX,go=rX")
        old = _change(old, match[1] or "a", match[2], match[3], is_folder=is_folder)
    return old


def _change(old: int, who: str, sign: str, letters: str, *, is_folder: bool) -> int:
    bits = sum(_BITS.get(letter, 0) for letter in set(letters))
    if "X" in letters and (is_folder or old & 0o111):
        bits |= 1
    classes = "ugo" if "a" in who else who
    value = sum(bits << _SHIFTS[name] for name in set(classes))
    if "s" in letters:
        value |= (0o4000 if "u" in classes else 0) | (0o2000 if "g" in classes else 0)
    if "t" in letters:
        value |= 0o1000
    if sign == "=":
        return old & ~sum(7 << _SHIFTS[name] for name in set(classes)) | value
    return old | value if sign == "+" else old & ~value
