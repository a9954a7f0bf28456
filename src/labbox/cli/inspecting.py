"""What the three `inspect` commands share: documents in docker's layout, templates, and what is missing."""

from collections.abc import Callable, Iterable

from labbox.cli.output import print_json
from labbox.cli.report import print_failure
from labbox.errors import LabboxError
from labbox.lightweight_typing import Any


def inspect_names(names: Iterable[str], find: Callable[[str], Any], template: str | None) -> int:
    """Print the document of every name, then what was not found; the exit code."""
    documents, failures = [], []
    for name in names:
        try:
            documents.append(find(name))
        except LabboxError as error:
            failures.append(error)
    if template and template != "json":
        from labbox.cli.templates.rendering import InspectTemplate

        parsed = InspectTemplate(template)
        for document in documents:
            print(parsed.render(document))
    else:
        print_json(documents, indent=None if template == "json" else 4)
    for failure in failures:
        print_failure(failure.message, failure.hint)
    return 1 if failures else 0
