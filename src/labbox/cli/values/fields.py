"""Comma-separated `key=value` fields with quotes, as `--mount` and `--gpus` take them (one record of RFC 4180)."""

from labbox.errors import UsageError


def split_fields(text: str) -> list[str]:
    """The fields of one line; a field in double quotes may hold commas, `""` stands for a quote."""
    fields, rest = list[str](), text
    while True:
        if rest.startswith('"'):
            field, rest = _read_quoted(rest[1:], text)
        else:
            field, comma, rest = rest.partition(",")
            rest = comma + rest
        fields.append(field)
        if not rest:
            return fields
        rest = rest[1:]


def _read_quoted(rest: str, text: str) -> tuple[str, str]:
    parts: list[str] = []
    while True:
        before, quote, rest = rest.partition('"')
        parts.append(before)
        if not quote:
            raise UsageError(f"extraneous or missing quote in `{text}`")
        if not rest.startswith('"'):
            break
        parts.append('"')
        rest = rest[1:]
    if rest and not rest.startswith(","):
        raise UsageError(f"extraneous or missing quote in `{text}`")
    return "".join(parts), rest
