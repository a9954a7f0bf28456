"""A TOML definition (labbox.toml, or [tool.labbox] of pyproject.toml) with packages added or taken out.

All else in the file, comments and layout, stays as it was written.
"""

from collections.abc import Callable, Sequence

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array, Table
from tomlkit.toml_document import TOMLDocument

from labbox.errors import UsageError

_LONG = 88  # a list that would be longer than this is written one package a line


def add_to_list(text: str, path: Sequence[str], value: str, name_of: Callable[[str], str]) -> str:
    """The text with a value in the list at a path (made when missing), in place of an entry of the same name."""
    document = _parse(text)
    array = _find_list(document, path, make=True)
    assert array is not None
    for position, entry in enumerate(array):
        if name_of(str(entry)) == name_of(value):
            array[position] = value
            return tomlkit.dumps(document)
    array.append(value)
    if "\n" not in array.as_string() and len(array.as_string()) > _LONG:
        array.multiline(True)
    return tomlkit.dumps(document)


def remove_from_list(text: str, path: Sequence[str], name: str, name_of: Callable[[str], str]) -> str | None:
    """The text without the entry of that name; None when the list at the path has none."""
    document = _parse(text)
    array = _find_list(document, path, make=False)
    if array is None:
        return None
    for position, entry in enumerate(array):
        if name_of(str(entry)) == name:
            del array[position]
            return tomlkit.dumps(document)
    return None


def _parse(text: str) -> TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise UsageError(f"the file cannot be changed, since it is not TOML: {error}") from error


def _find_list(document: TOMLDocument, path: Sequence[str], *, make: bool) -> Array | None:
    table: TOMLDocument | Table = document
    for key in path[:-1]:
        if key not in table:
            if not make:
                return None
            table[key] = tomlkit.table()
        table = table[key]
    if path[-1] not in table:
        if not make:
            return None
        table[path[-1]] = tomlkit.array()
    found = table[path[-1]]
    if not isinstance(found, Array):
        raise UsageError(f"`{'.'.join(path)}` is not a list", hint='Write it as a list, as in `["numpy"]`.')
    return found
