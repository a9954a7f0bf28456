"""The faults of one file, gathered so that they are all reported at once."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from labbox.errors import UsageError

_SHOWN_CHARACTERS = 60


class Faults:
    """Collects `key path: what is wrong`; `homes` tells for a key's name the full path it belongs to."""

    def __init__(self, homes: Mapping[str, str] | None = None) -> None:
        self._lines: list[str] = []
        self._homes = homes or {}

    def add(self, path: str, message: str) -> None:
        """Note one fault; an empty path is the file as a whole."""
        self._lines.append(f"{path}: {message}" if path else message)

    def expected(self, path: str, wanted: str, value: object, reason: str = "") -> None:
        """Note a value that is not what its key takes."""
        self.add(path, f"expected {wanted}, got {show(value)}" + (f" ({reason})" if reason else ""))

    def unknown(self, path: str, name: str, known: Iterable[str], what: str = "key") -> None:
        """Note a name that does not exist here, with the nearest one that does."""
        names = list(known)
        near = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
        if near:
            self.add(path, f"unknown {what}; did you mean `{near[0]}`?")
        elif name in self._homes:
            self.add(path, f"unknown {what}; did you mean `{self._homes[name]}`?")
        else:
            self.add(path, f"unknown {what}; known are {', '.join(names)}")

    def raise_if_any(self, file_name: str) -> None:
        """End with one UsageError that lists every fault of the file."""
        if self._lines:
            what = "fault" if len(self._lines) == 1 else "faults"
            lines = "\n".join(f"  {line}" for line in self._lines)
            raise UsageError(f"`{file_name}` has {len(self._lines)} {what}:\n{lines}")


def join(path: str, key: str) -> str:
    """The path of a key in the table at `path`, quoted as TOML quotes it."""
    bare = key.replace("_", "a").replace("-", "a")
    name = key if bare.isascii() and bare.isalnum() else show(key)
    return f"{path}.{name}" if path else name


def show(value: object) -> str:
    """A value as a person would write it in the file, shortened."""
    match value:
        case bool():
            text = str(value).lower()
        case str():
            quoted = value.encode("unicode_escape").decode().replace('"', '\\"').replace("\\\\", "\\")
            text = f'"{quoted}"'
        case dict():
            text = "a table"
        case list():
            text = "a list"
        case _:
            text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
