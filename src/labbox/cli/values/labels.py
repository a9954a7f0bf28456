"""`--label key=value` and `--annotation key=value`."""

from labbox.cli.values.environment import read_variable_file
from labbox.errors import UsageError


def parse_label(text: str) -> tuple[str, str]:
    """One label; a key alone has an empty value."""
    key, _, value = text.partition("=")
    if not key.strip():
        raise UsageError(f"invalid label '{text}': empty name")
    return key, value


def parse_annotation(text: str) -> tuple[str, str]:
    """One annotation; unlike a label it needs its value."""
    key, equals, value = text.partition("=")
    if not key.strip() or not equals:
        raise UsageError(f"invalid annotation '{text}': must be key=value")
    return key, value


def collect_labels(files: list[str], labels: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Labels of the files, then of the flags; the last of a key wins."""
    from_files = [parse_label(line) for path in files for line in read_variable_file(path)]
    return tuple(sorted(dict([*from_files, *labels]).items()))
