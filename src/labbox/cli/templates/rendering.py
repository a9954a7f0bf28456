"""Templates of commands: docker's words around what goes wrong in them."""

from collections.abc import Callable
from typing import Any

from labbox.cli.templates.evaluation import Template
from labbox.cli.templates.functions import FUNCTIONS
from labbox.cli.templates.scanner import TemplateError

# functions that would spoil a header are left out of it (docker's templates.HeaderFunctions)
_HEADER_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **FUNCTIONS,
    "json": lambda header: header,
    "join": lambda header, _: header,
    "lower": lambda header: header,
    "split": lambda header, _: header,
    "title": lambda header: header,
    "truncate": lambda header, _: header,
    "upper": lambda header: header,
}
_SYNTAX_EXIT_CODE = 64  # docker's for `inspect --format '{{'`


class ListTemplate:
    """The template of a command that lists things."""

    def __init__(self, source: str, *, for_header: bool = False) -> None:
        functions = _HEADER_FUNCTIONS if for_header else FUNCTIONS
        try:
            self.template = Template(source, functions)
        except TemplateError as error:
            raise TemplateError(f"failed to parse template: {error.message}", hint=error.hint) from error

    def render(self, value: Any) -> str:
        """The text for one item; raises TemplateError."""
        try:
            return self.template.render(value)
        except TemplateError as error:
            raise TemplateError(f"failed to execute template: {error.message}", hint=error.hint) from error


class InspectTemplate:
    """The template of `inspect`."""

    def __init__(self, source: str) -> None:
        try:
            self.template = Template(source)
        except TemplateError as error:
            message = f"template parsing error: {error.message}"
            raise TemplateError(message, hint=error.hint, exit_code=_SYNTAX_EXIT_CODE) from error

    def render(self, value: Any) -> str:
        """The text for one document; raises TemplateError."""
        try:
            return self.template.render(value)
        except TemplateError as error:
            raise TemplateError(f"template parsing error: {error.message}", hint=error.hint) from error
