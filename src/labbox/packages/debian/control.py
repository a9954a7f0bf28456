"""Debian's control file format: paragraphs of fields (deb822(5), Debian Policy §5.1)."""

from collections.abc import Iterator, Mapping


def parse_paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Every paragraph of a control file as a dictionary; continuation lines are kept, without their first blank.

    Field names keep the spelling of the file. Lines that start with `#` are comments. A later field of the same
    name wins, as in dpkg for unknown repeats.
    """
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = parse_paragraph(block)
        if fields:
            yield fields


def parse_paragraph(block: str) -> dict[str, str]:
    """One paragraph as a dictionary of its fields."""
    fields: dict[str, str] = {}
    name = ""
    for line in block.split("\n"):
        if not line or line[0] == "#":
            continue
        if line[0] in " \t":
            if name:
                fields[name] += "\n" + line[1:]
            continue
        name, separator, value = line.partition(":")
        if not separator:
            name = ""
            continue
        fields[name] = value.strip()
    return fields


def format_paragraph(fields: Mapping[str, str]) -> str:
    """The text of one paragraph, each field on its own line, ended by a newline."""
    return "".join(
        f"{name}: {_fold(value)}\n" if value and value[0] != "\n" else f"{name}:{_fold(value)}\n"
        for name, value in fields.items()
    )


def _fold(value: str) -> str:
    return value.replace("\n", "\n ")
