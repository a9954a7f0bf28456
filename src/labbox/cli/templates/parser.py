"""Reads a template into nodes (Go's text/template/parse/parse.go), all but `define`, `template` and `block`."""

from labbox.cli.templates.functions import FUNCTIONS
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
from labbox.cli.templates.scanner import TemplateError, Token, parse_error, scan

_BRANCHES = frozenset({"if", "with", "range"})
_UNSUPPORTED = frozenset({"define", "template", "block"})
_LITERALS = {"true": True, "false": False, "nil": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}


def parse_template(source: str) -> tuple[Node, ...]:
    """The nodes of a template; raises TemplateError with Go's message."""
    parser = _Parser(source)
    nodes, end = parser.read_nodes()
    if end is not None:
        raise parse_error(source, end.offset, f"unexpected {{{{{end.text}}}}}")
    return nodes


class _Parser:
    """Reads tokens from left to right; knows the variables in scope."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = list(scan(source))
        self.position = 0
        self.variables = ["$"]

    def read_nodes(self) -> tuple[tuple[Node, ...], Token | None]:
        """Nodes up to `{{end}}` or `{{else}}` (its word is returned, read), or up to the end of the template (None)."""
        nodes: list[Node] = []
        while self.position < len(self.tokens):
            token = self._next()
            if token.kind == "text":
                nodes.append(Text(token.text))
                continue
            self._skip_space()
            word = self._peek()
            if word.kind == "word" and word.text in ("end", "else"):
                self.position += 1
                if word.text == "end":
                    self._close("end")
                return tuple(nodes), word
            nodes.append(self._read_action(word))
        return tuple(nodes), None

    def _read_action(self, word: Token) -> Node:
        if word.kind == "word" and word.text in _BRANCHES:
            self.position += 1
            return self._read_branch(word)
        if word.kind == "word" and word.text in ("break", "continue"):
            self.position += 1
            self._close(word.text)
            return Jump(word.text)
        if word.kind == "word" and word.text in _UNSUPPORTED:
            raise self._error(word, f"{{{{{word.text}}}}} is not supported")
        pipeline = self._read_pipeline("command", "close")
        return Action(pipeline)

    def _read_branch(self, word: Token) -> Branch:
        scope = len(self.variables)
        pipeline = self._read_pipeline(word.text, "close")
        body, end = self.read_nodes()
        otherwise: tuple[Node, ...] = ()
        if end is not None and end.text == "else":
            otherwise, end = self._read_else(word)
        if end is None:
            raise parse_error(self.source, len(self.source), "unexpected EOF")
        del self.variables[scope:]
        return Branch(word.text, pipeline, body, otherwise)

    def _read_else(self, word: Token) -> tuple[tuple[Node, ...], Token | None]:
        self._skip_space()
        again = self._peek()
        if again.kind == "word" and again.text == word.text and word.text != "range":
            # {{else if}}: a branch of its own that shares our {{end}}
            self.position += 1
            return (self._read_branch(again),), again
        self._close("else")
        nodes, end = self.read_nodes()
        if end is not None and end.text == "else":
            raise self._error(end, "unexpected {{else}}")
        return nodes, end

    def _read_pipeline(self, context: str, end: str) -> Pipeline:
        self._skip_space()
        names, assigns = self._read_declaration(context)
        calls = [self._read_call(context, end)]
        while self._peek().kind == "|":
            self.position += 1
            calls.append(self._read_call(context, end))
        closing = self._next()
        if closing.kind != end:
            raise self._error(closing, f"unexpected {_show(closing)} in {context}")
        for later in calls[1:]:
            if isinstance(later.operands[0], Literal):
                raise self._error(closing, f"non executable command in pipeline stage {calls.index(later) + 1}")
        if not assigns:
            self.variables += names
        return Pipeline(tuple(calls), tuple(names), assigns)

    def _read_declaration(self, context: str) -> tuple[list[str], bool]:
        """`$a :=`, `$a =` or (for range) `$a, $b :=`; nothing is read when none follows."""
        start, names = self.position, list[str]()
        while self._peek().kind == "variable":
            names.append(self._next().text)
            self._skip_space()
            mark = self._peek().kind
            if mark in (":=", "="):
                self.position += 1
                return names, mark == "="
            if mark != "," or context != "range" or len(names) > 1:
                break
            self.position += 1
            self._skip_space()
        self.position = start
        return [], False

    def _read_call(self, context: str, end: str) -> Call:
        operands: list[Operand] = []
        while True:
            self._skip_space()
            token = self._peek()
            if token.kind in (end, "|", "close"):
                break
            operands.append(self._read_operand(context))
            following = self._peek()
            if following.kind not in ("space", end, "|", "close"):
                raise self._error(following, f"unexpected {_show(following)} in operand")
        if not operands:
            raise self._error(self._peek(), f"missing value for {context}")
        return Call(tuple(operands))

    def _read_operand(self, context: str) -> Operand:
        token = self._next()
        if token.kind == "string":
            return Literal(token.offset, token.text, _read_string(token, self.source))
        if token.kind == "number":
            return Literal(token.offset, token.text, _read_number(token, self.source))
        if token.kind == "word":
            return self._read_word(token)
        if token.kind == "field":
            return self._read_field(token)
        if token.kind == "variable":
            return self._read_variable(token)
        if token.kind == "(":
            return self._read_parenthesised(token)
        raise self._error(token, f"unexpected {_show(token)} in {context}")

    def _read_word(self, token: Token) -> Operand:
        if token.text in _LITERALS:
            return Literal(token.offset, token.text, _LITERALS[token.text])
        if token.text not in FUNCTIONS:
            raise self._error(token, f'function "{token.text}" not defined')
        return Function(token.offset, token.text, token.text)

    def _read_field(self, token: Token) -> Operand:
        if token.text == ".":
            return FieldPath(token.offset, ".", ())
        names, last = self._read_more_fields(token)
        path = (token.text[1:], *names)
        return FieldPath(last, "." + ".".join(path), path)

    def _read_variable(self, token: Token) -> Operand:
        if token.text not in self.variables:
            raise self._error(token, f'undefined variable "{token.text}"')
        names, last = self._read_more_fields(token)
        return Variable(last, ".".join((token.text, *names)), token.text, names)

    def _read_parenthesised(self, token: Token) -> Operand:
        pipeline = self._read_pipeline("parenthesized pipeline", ")")
        names, _ = self._read_more_fields(token)
        source = ".".join((f"({pipeline.source})", *names))
        return Chain(token.offset, source, pipeline, names)

    def _read_more_fields(self, first: Token) -> tuple[tuple[str, ...], int]:
        """The names of fields that follow at once, and where the first of them stands (Go reports that place)."""
        names, place = list[str](), first.offset
        while self._peek().kind == "field" and len(self._peek().text) > 1:
            token = self._next()
            if not names:
                place = token.offset
            names.append(token.text[1:])
        return tuple(names), place

    def _close(self, context: str) -> None:
        self._skip_space()
        token = self._next()
        if token.kind != "close":
            raise self._error(token, f"unexpected {_show(token)} in {context}")

    def _skip_space(self) -> None:
        while self._peek().kind == "space":
            self.position += 1

    def _peek(self) -> Token:
        if self.position < len(self.tokens):
            return self.tokens[self.position]
        return Token("end", "EOF", len(self.source))

    def _next(self) -> Token:
        token = self._peek()
        self.position += 1
        return token

    def _error(self, token: Token, reason: str) -> TemplateError:
        return parse_error(self.source, token.offset, reason)


def _show(token: Token) -> str:
    return token.text if token.kind == "end" else f"<{token.text}>"


def _read_number(token: Token, source: str) -> int | float:
    try:
        return int(token.text, 0)
    except ValueError:
        pass
    try:
        return float(token.text)
    except ValueError:
        raise parse_error(source, token.offset, f'bad number syntax: "{token.text}"') from None


def _read_string(token: Token, source: str) -> str | int:
    mark, inner = token.text[0], token.text[1:-1]
    if mark == "`":
        return inner
    parts: list[str] = []
    rest = inner
    while rest:
        before, backslash, rest = rest.partition("\\")
        parts.append(before)
        if backslash:
            character, rest = _read_escape(rest, token, source)
            parts.append(character)
    text = "".join(parts)
    return ord(text) if mark == "'" and len(text) == 1 else text


def _read_escape(rest: str, token: Token, source: str) -> tuple[str, str]:
    letter, rest = rest[:1], rest[1:]
    if letter in _ESCAPES:
        return _ESCAPES[letter], rest
    if letter in ("\\", '"', "'"):
        return letter, rest
    if letter in _HEX_ESCAPES:
        digits = _HEX_ESCAPES[letter]
        try:
            return chr(int(rest[:digits], 16)), rest[digits:]
        except ValueError:
            pass
    raise parse_error(source, token.offset, "invalid syntax")
