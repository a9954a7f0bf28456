"""Typed access to a JSON document from elsewhere: what is not as it should be raises ArchiveError with its path."""

from labbox.errors import ArchiveError, UsageError
from labbox.lightweight_modules import json
from labbox.lightweight_typing import Any, Callable, Mapping, TypeVar
from labbox.oci.digest import Digest, parse_digest

_Value = TypeVar("_Value")
MAX_DOCUMENT_BYTES = 4 << 20  # what registries accept for a manifest (distribution-spec, "Pushing Manifests")


def parse_object(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object that some bytes spell; `what` names them in errors."""
    if len(data) > MAX_DOCUMENT_BYTES:
        raise ArchiveError(f"{what} is too large: {len(data)} bytes, at most {MAX_DOCUMENT_BYTES} are read")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{what} is not JSON: {error}") from error
    return as_object(document, what)


def as_object(value: Any, path: str) -> dict[str, Any]:
    """The value itself when it is an object."""
    if not isinstance(value, dict):
        raise _unexpected(path, "an object", value)
    return value


def as_list(value: Any, path: str) -> list[Any]:
    """The value itself when it is a list; null is an empty list, as Go writes it."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _unexpected(path, "a list", value)
    return value


def as_text(value: Any, path: str) -> str:
    """The value itself when it is a string."""
    if not isinstance(value, str):
        raise _unexpected(path, "a string", value)
    return value


def as_size(value: Any, path: str) -> int:
    """The value itself when it is a whole number that is not negative."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _unexpected(path, "a size in bytes", value)
    return value


def as_integer(value: Any, path: str) -> int:
    """The value itself when it is a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise _unexpected(path, "a whole number", value)
    return value


def as_flag(value: Any, path: str) -> bool:
    """The value itself when it is true or false."""
    if not isinstance(value, bool):
        raise _unexpected(path, "true or false", value)
    return value


def as_digest(value: Any, path: str) -> Digest:
    """The digest a string spells."""
    try:
        return parse_digest(as_text(value, path))
    except UsageError as error:
        raise ArchiveError(f"{path}: {error.message}") from error


def as_texts(value: Any, path: str) -> tuple[str, ...]:
    """A list of strings; null is an empty one."""
    return tuple(as_text(item, f"{path}[{position}]") for position, item in enumerate(as_list(value, path)))


def as_text_map(value: Any, path: str) -> dict[str, str]:
    """An object whose values are strings; null is an empty one."""
    if value is None:
        return {}
    return {key: as_text(item, f"{path}.{key}") for key, item in as_object(value, path).items()}


def required(document: Mapping[str, Any], key: str, path: str, read: Callable[[Any, str], _Value]) -> _Value:
    """The member `key`, read by one of the functions above; its absence is an error."""
    if key not in document:
        raise ArchiveError(f"{path}.{key}: missing required value")
    return read(document[key], f"{path}.{key}")


def optional(
    document: Mapping[str, Any], key: str, path: str, read: Callable[[Any, str], _Value], default: _Value
) -> _Value:
    """The member `key` read likewise, or `default` when it is absent or null."""
    value = document.get(key)
    return default if value is None else read(value, f"{path}.{key}")


def _unexpected(path: str, wanted: str, value: Any) -> ArchiveError:
    text = json.dumps(value)
    shown = text if len(text) <= 80 else text[:77] + "..."
    return ArchiveError(f"{path}: expected {wanted}, found `{shown}`")
