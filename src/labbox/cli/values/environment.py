"""`-e NAME=value`, `-e NAME` and `--env-file` (docker/cli, opts/env.go and opts/file.go)."""

from labbox.errors import UsageError
from labbox.lightweight_typing import Mapping


def check_variable(text: str) -> str:
    """The text of one `-e`; raises UsageError when it has no name."""
    if not text or text.startswith("="):
        raise UsageError(f"invalid environment variable: {text}")
    return text


def read_environment(texts: list[str], files: list[str], environment: Mapping[str, str]) -> list[str]:
    """Every variable of the files, then of the flags; a bare name takes this process's value, or stays unset."""
    lines = [line for path in files for line in read_variable_file(path)]
    entries = (_complete(text, environment) for text in (*lines, *texts))
    return [entry for entry in entries if entry is not None]


def read_variable_file(path: str) -> list[str]:
    """The lines of an `--env-file` without comments and blank lines; raises UsageError naming the fault."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise UsageError(f"open {path}: {(error.strerror or 'unreadable').lower()}") from error
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    read = (_read_line(line, number, path) for number, line in enumerate(lines, start=1))
    return [line for line in read if line]


def _read_line(raw: bytes, number: int, path: str) -> str:
    try:
        line = raw.decode().removesuffix("\r").lstrip()
    except UnicodeDecodeError:
        raise UsageError(f"invalid env file ({path}): invalid utf8 bytes at line {number}") from None
    if not line or line.startswith("#"):
        return ""
    name = line.partition("=")[0]
    if not name:
        raise UsageError(f"invalid env file ({path}): no variable name on line '{line}'")
    if any(character in " \t" for character in name):
        raise UsageError(f"invalid env file ({path}): variable '{name}' contains whitespaces")
    return line


def _complete(text: str, environment: Mapping[str, str]) -> str | None:
    if "=" in text:
        return text
    return f"{text}={environment[text]}" if text in environment else None
