"""`--filter name=value`: read once, checked against the names a command knows, asked while listing."""

from labbox.errors import LabboxError, UsageError
from labbox.lightweight_typing import Collection, Mapping, NamedTuple


class Filters(NamedTuple):
    """The filters of a command line: every value given for each name."""

    values: dict[str, tuple[str, ...]]

    def texts(self, name: str) -> tuple[str, ...]:
        """The values of one filter, empty when it was not given."""
        return self.values.get(name, ())

    def accepts(self, name: str, actual: Collection[str]) -> bool:
        """True when the filter was not given, or one of its values is among the actual ones."""
        wanted = self.texts(name)
        return not wanted or any(value in actual for value in wanted)

    def accepts_part_of(self, name: str, actual: Collection[str]) -> bool:
        """As `accepts`, for values that are patterns of a part of the actual text (docker's name and id filters)."""
        wanted = self.texts(name)
        return not wanted or any(_matches(pattern, text) for pattern in wanted for text in actual)

    def accepts_labels(self, labels: Mapping[str, str]) -> bool:
        """True when every `label=key` and `label=key=value` holds; all must, unlike other filters."""
        return all(_has_label(labels, wanted) for wanted in self.texts("label"))

    def switch(self, name: str) -> bool | None:
        """A filter that is true or false, None when it was not given."""
        wanted = self.texts(name)
        if not wanted:
            return None
        if wanted[-1].lower() not in ("true", "false", "1", "0"):
            raise LabboxError(f"Invalid filter '{name}=[{wanted[-1]}]'", hint=f"write {name}=true or {name}=false")
        return wanted[-1].lower() in ("true", "1")

    def numbers(self, name: str) -> tuple[int, ...]:
        """The values of a filter that takes whole numbers."""
        for text in self.texts(name):
            if not text.lstrip("-").isdigit():
                raise LabboxError(f"Invalid filter '{name}={text}': not a whole number")
        return tuple(int(text) for text in self.texts(name))


def parse_filter(text: str) -> tuple[str, str]:
    """One `name=value`; UsageError with docker's message when it is none."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError("bad format of filter (expected name=value)")
    return name.strip().lower(), value.strip()


def collect_filters(pairs: Collection[tuple[str, str]], known: Collection[str]) -> Filters:
    """The filters of one command; LabboxError for a name that the command does not know."""
    values: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        if name not in known:
            raise LabboxError(f"Invalid filter '{name}'", hint=f"the filters are {', '.join(sorted(known))}")
        values[name] = (*values.get(name, ()), value)
    return Filters(values)


def check_choices(filters: Filters, name: str, choices: Collection[str]) -> None:
    """Refuse a value that is none of the choices of its filter."""
    for value in filters.texts(name):
        if value not in choices:
            raise LabboxError(f"Invalid filter '{name}={value}'", hint=f"{name} is one of {', '.join(choices)}")


def _matches(pattern: str, text: str) -> bool:
    if pattern.isalnum():
        return pattern in text
    import re  # most patterns are plain words

    try:
        return re.search(pattern, text) is not None
    except re.error:
        return pattern in text


def _has_label(labels: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)
