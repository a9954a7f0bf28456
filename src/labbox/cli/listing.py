"""`--format` for commands that list things: docker's tables, Go templates, one JSON object per line, or `--json`."""

from labbox.cli.flags import Flag
from labbox.cli.tables import align
from labbox.lightweight_typing import Any, Callable, NamedTuple, Sequence

FORMAT_FLAG = Flag(
    "format",
    "string",
    "Format output using a custom template: 'table', 'table TEMPLATE' (a Go template with column headers), 'json', "
    "or 'TEMPLATE' (a Go template)",
)
INSPECT_FORMAT_FLAG = Flag(
    "format", "string", "Format output using a custom template: 'json', or 'TEMPLATE' (a Go template)", short="f"
)
JSON_FLAG = Flag("json", "", "Print one JSON document for machines")
FILTER_FLAG = Flag("filter", "filter", "Filter output based on conditions provided", short="f")


class Field(NamedTuple):
    """One field of a listing: the header of its column and how it is read off an item."""

    header: str
    read: Callable[..., Any]
    takes_arguments: bool = False


class Listing(NamedTuple):
    """What a command can say about its items, and what it says when nothing is asked for."""

    fields: dict[str, Field]
    default: str


class Row:
    """One item as a template sees it: its fields, read when asked for."""

    def __init__(self, listing: Listing, item: Any) -> None:
        self.listing = listing
        self.item = item

    def field_names(self) -> list[str]:
        """The fields that stand on their own, sorted."""
        return sorted(name for name, field in self.listing.fields.items() if not field.takes_arguments)

    def read_field(self, name: str, arguments: list[Any]) -> Any:
        """The value of a field; KeyError when the listing has none of this name."""
        return self.listing.fields[name].read(self.item, *arguments)


class _Header:
    """The first line of a table: every field reads as the header of its column."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing

    def field_names(self) -> list[str]:
        return sorted(self.listing.fields)

    def read_field(self, name: str, arguments: list[Any]) -> str:
        if arguments:
            # docker names the column of {{.Label "com.example.my-key"}} by the label's last part
            return str(arguments[0]).rsplit(".", 1)[-1].replace("-", " ").replace("_", " ")
        return self.listing.fields[name].header


def render_listing(listing: Listing, items: Sequence[Any], template: str | None) -> str:
    """The text of a listing, ended by a newline unless it is empty; raises LabboxError for a bad template."""
    template = template or "table"
    if template == "json":
        template = "{{json .}}"
    if template == "table":
        return _render_default(listing, items)
    if template.startswith("table "):
        return _render_table(listing, items, _unescape(template[len("table") :].strip(" ")))
    return _render_lines(listing, items, _unescape(template))


def _render_default(listing: Listing, items: Sequence[Any]) -> str:
    # the usual case reads no template: what imports nothing is fast
    names = listing.default.split()
    lines = ["\t".join(listing.fields[name].header for name in names)]
    lines += ["\t".join(str(listing.fields[name].read(item)) for name in names) for item in items]
    return align("\n".join(lines)) + "\n"


def _render_lines(listing: Listing, items: Sequence[Any], source: str) -> str:
    from labbox.cli.templates.rendering import ListTemplate

    template = ListTemplate(source)
    return "".join(template.render(Row(listing, item)) + "\n" for item in items)


def _render_table(listing: Listing, items: Sequence[Any], source: str) -> str:
    from labbox.cli.templates.rendering import ListTemplate

    template = ListTemplate(source)
    lines = [ListTemplate(source, for_header=True).render(_Header(listing))]
    lines += [template.render(Row(listing, item)) for item in items]
    return align("\n".join(lines)) + "\n"


def _unescape(template: str) -> str:
    return template.replace("\\t", "\t").replace("\\n", "\n")
