"""The parts of a parsed template, as values. `offset` is the place in the template that an error names."""

from typing import Any, NamedTuple


class Text(NamedTuple):
    """Characters that stand for themselves."""

    text: str


class Literal(NamedTuple):
    """A string, number, `true`, `false` or `nil`."""

    offset: int
    source: str
    value: Any


class FieldPath(NamedTuple):
    """`.State.Status`: fields of the current value; no names at all is the value itself, `.`."""

    offset: int
    source: str
    names: tuple[str, ...]


class Variable(NamedTuple):
    """`$key.Name`: a variable, then fields of it."""

    offset: int
    source: str
    name: str
    names: tuple[str, ...]


class Function(NamedTuple):
    """The name of a function, in the place of an operand."""

    offset: int
    source: str
    name: str


class Chain(NamedTuple):
    """`(index . 0).HostPort`: fields of a parenthesised pipeline."""

    offset: int
    source: str
    pipeline: "Pipeline"
    names: tuple[str, ...]


Operand = Literal | FieldPath | Variable | Function | Chain


class Call(NamedTuple):
    """One command of a pipeline: its first operand applied to the others."""

    operands: tuple[Operand, ...]

    @property
    def source(self) -> str:
        """The command as an error shows it."""
        return " ".join(operand.source for operand in self.operands)


class Pipeline(NamedTuple):
    """`a | b | c`, with the variables that take its value; `assigns` is True for `=`, False for `:=`."""

    calls: tuple[Call, ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False

    @property
    def source(self) -> str:
        """The pipeline as an error shows it."""
        return " | ".join(call.source for call in self.calls)


class Action(NamedTuple):
    """`{{pipeline}}`: its value is written out, unless it only sets a variable."""

    pipeline: Pipeline


class Branch(NamedTuple):
    """`{{if}}`, `{{with}}` or `{{range}}`, told apart by `keyword`."""

    keyword: str
    pipeline: Pipeline
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...]


class Jump(NamedTuple):
    """`{{break}}` or `{{continue}}`."""

    keyword: str


Node = Text | Action | Branch | Jump
