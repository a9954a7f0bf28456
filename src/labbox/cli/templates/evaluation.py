"""Runs a parsed template on a value (Go's text/template/exec.go)."""

from collections.abc import Callable, Mapping
from typing import Any

from labbox.cli.templates.functions import FUNCTIONS, FunctionError
from labbox.cli.templates.nodes import (
    Action,
    Branch,
    Call,
    Chain,
    FieldPath,
    Function,
    Jump,
    Literal,
    Node,
    Operand,
    Pipeline,
    Text,
    Variable,
)
from labbox.cli.templates.parser import parse_template
from labbox.cli.templates.scanner import TemplateError
from labbox.cli.templates.values import Record, is_true, show

_NO_PIPED_VALUE = object()


class Template:
    """A template, read once and run on any number of values."""

    def __init__(self, source: str, functions: Mapping[str, Callable[..., Any]] = FUNCTIONS) -> None:
        """Read the template; raises TemplateError."""
        self.source = source
        self.functions = functions
        self.nodes = parse_template(source)

    def render(self, value: Any) -> str:
        """The template's text for one value; raises TemplateError naming the place that failed."""
        return _Evaluation(self.source, self.functions, value).run(self.nodes, value)


class _LoopEndError(Exception):
    """`{{break}}` or `{{continue}}`, with what the loop's body had written before it."""

    def __init__(self, keyword: str) -> None:
        super().__init__(keyword)
        self.keyword = keyword


class _Evaluation:
    """One run: the variables in scope (innermost last) and the text written so far."""

    def __init__(self, source: str, functions: Mapping[str, Callable[..., Any]], value: Any) -> None:
        self.source = source
        self.functions = functions
        self.scope: list[tuple[str, Any]] = [("$", value)]
        self.written: list[str] = []

    def run(self, nodes: tuple[Node, ...], dot: Any) -> str:
        self._walk(nodes, dot)
        return "".join(self.written)

    def _walk(self, nodes: tuple[Node, ...], dot: Any) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self.written.append(node.text)
            elif isinstance(node, Action):
                value = self._pipeline(node.pipeline, dot)
                if not node.pipeline.variables:
                    self.written.append("<no value>" if value is None else show(value))
            elif isinstance(node, Jump):
                raise _LoopEndError(node.keyword)
            else:
                self._branch(node, dot)

    def _branch(self, node: Branch, dot: Any) -> None:
        depth = len(self.scope)
        if node.keyword == "range":
            self._range(node, dot)
        else:
            value = self._pipeline(node.pipeline, dot)
            if is_true(value):
                self._walk(node.body, value if node.keyword == "with" else dot)
            else:
                self._walk(node.otherwise, dot)
        del self.scope[depth:]

    def _range(self, node: Branch, dot: Any) -> None:
        pairs = self._pairs(self._calls(node.pipeline, dot), node)
        depth = len(self.scope)
        for key, value in pairs:
            names = node.pipeline.variables
            if names:
                self.scope += zip(names, (key, value) if len(names) > 1 else (value,), strict=False)
            try:
                self._walk(node.body, value)
            except _LoopEndError as end:
                if end.keyword == "break":
                    break
            finally:
                del self.scope[depth:]
        if not pairs:
            self._walk(node.otherwise, dot)

    def _pairs(self, value: Any, node: Branch) -> list[tuple[Any, Any]]:
        if value is None:
            return []
        if isinstance(value, dict):
            return [(key, value[key]) for key in sorted(value)]
        if isinstance(value, list | tuple):
            return list(enumerate(value))
        if isinstance(value, int) and not isinstance(value, bool):
            return [(number, number) for number in range(value)]
        call = node.pipeline.calls[0]
        raise self._error(call.operands[0].offset, node.pipeline.source, f"range can't iterate over {show(value)}")

    def _pipeline(self, pipeline: Pipeline, dot: Any) -> Any:
        value = self._calls(pipeline, dot)
        for name in pipeline.variables:
            if pipeline.assigns:
                position = max(place for place, (known, _) in enumerate(self.scope) if known == name)
                self.scope[position] = (name, value)
            else:
                self.scope.append((name, value))
        return value

    def _calls(self, pipeline: Pipeline, dot: Any) -> Any:
        value: Any = _NO_PIPED_VALUE
        for call in pipeline.calls:
            value = self._call(call, dot, value)
        return value

    def _call(self, call: Call, dot: Any, piped: Any) -> Any:
        first, *operands = call.operands
        if isinstance(first, Function):
            return self._call_function(first, call, operands, dot, piped)
        arguments = [self._operand(operand, dot) for operand in operands]
        if piped is not _NO_PIPED_VALUE:
            arguments.append(piped)
        if isinstance(first, FieldPath) and arguments and first.names:
            return self._field_path(first, dot, arguments)
        if arguments:
            raise self._error(first.offset, first.source, f"can't give argument to non-function {first.source}")
        if isinstance(first, Literal) and first.value is None:
            raise self._error(first.offset, first.source, "nil is not a command")
        return self._operand(first, dot)

    def _call_function(self, function: Function, call: Call, operands: list[Operand], dot: Any, piped: Any) -> Any:
        if function.name in ("and", "or"):
            return self._short_circuit(function.name, operands, dot, piped)
        arguments = [self._operand(operand, dot) for operand in operands]
        if piped is not _NO_PIPED_VALUE:
            arguments.append(piped)
        try:
            return self.functions[function.name](*arguments)
        except FunctionError as error:
            reason = f"error calling {function.name}: {error}"
        except TypeError:
            # wrong number or kind of arguments: the table's functions are plain Python
            reason = f"wrong number of args for {function.name}: got {len(arguments)}"
        raise self._error(function.offset, call.source, reason)

    def _short_circuit(self, name: str, operands: list[Operand], dot: Any, piped: Any) -> Any:
        value: Any = None
        for operand in operands:
            value = self._operand(operand, dot)
            if is_true(value) == (name == "or"):
                return value
        return value if piped is _NO_PIPED_VALUE else piped

    def _operand(self, operand: Operand, dot: Any) -> Any:
        if isinstance(operand, Literal):
            return operand.value
        if isinstance(operand, FieldPath):
            return self._field_path(operand, dot, [])
        if isinstance(operand, Variable):
            value = next(value for name, value in reversed(self.scope) if name == operand.name)
            return self._fields(operand, value, operand.names, [])
        if isinstance(operand, Chain):
            return self._fields(operand, self._calls(operand.pipeline, dot), operand.names, [])
        return self._call(Call((operand,)), dot, _NO_PIPED_VALUE)

    def _field_path(self, path: FieldPath, dot: Any, arguments: list[Any]) -> Any:
        return self._fields(path, dot, path.names, arguments)

    def _fields(self, operand: Operand, value: Any, names: tuple[str, ...], arguments: list[Any]) -> Any:
        for position, name in enumerate(names):
            last = position == len(names) - 1
            value = self._field(operand, value, name, arguments if last else [])
        return value

    def _field(self, operand: Operand, value: Any, name: str, arguments: list[Any]) -> Any:
        if isinstance(value, Record):
            try:
                return value.read_field(name, arguments)
            except KeyError:
                hint = f"the fields are {', '.join(value.field_names())}"
                raise self._error(operand.offset, operand.source, f"can't evaluate field {name}", hint) from None
        if isinstance(value, dict):
            if name in value:
                return value[name]
            raise self._error(operand.offset, operand.source, f'map has no entry for key "{name}"')
        if value is None:
            raise self._error(operand.offset, operand.source, f"nil pointer evaluating interface {{}}.{name}")
        raise self._error(operand.offset, operand.source, f"can't evaluate field {name} in type interface {{}}")

    def _error(self, offset: int, what: str, reason: str, hint: str | None = None) -> TemplateError:
        line = self.source.count("\n", 0, offset) + 1
        column = offset - (self.source.rfind("\n", 0, offset) + 1)
        return TemplateError(f'template: :{line}:{column}: executing "" at <{what}>: {reason}', hint=hint)
