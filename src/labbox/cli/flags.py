"""Docker's command-line grammar: flag tables, and the parser that reads a command line by them.

The rules are those of pflag (https://github.com/spf13/pflag), which docker uses: `--flag value`, `--flag=value`,
`-itd`, `-p80:80`, `-p=80:80`, `--rm=false`, `--` ends the flags. A switch never takes the next argument as its value.
"""

from labbox.errors import UsageError
from labbox.lightweight_typing import Callable, NamedTuple, Sequence, TypeVar

Value = TypeVar("Value")

# docker's labels of flags that may be given more than once
REPEATABLE_KINDS = frozenset({"list", "map", "filter", "mount", "ulimit", "gpu-request"})

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class Flag(NamedTuple):
    """One flag: `kind` is the label docker shows for its value ("string", "list", "int"), empty for a switch."""

    name: str
    kind: str
    help: str
    short: str = ""
    default: str = ""

    @property
    def title(self) -> str:
        """The flag as docker names it in messages: `-m, --memory`."""
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


class Command(NamedTuple):
    """One command: what `--help` shows, what the parser accepts."""

    name: str
    usage: str
    summary: str
    flags: tuple[Flag, ...] = ()
    minimum: int = 0
    maximum: int | None = None
    options_end_at_positional: bool = False
    aliases: tuple[str, ...] = ()
    description: str = ""

    @property
    def usage_line(self) -> str:
        """The line that follows a mistake and opens `--help`."""
        return f"Usage:  {self.title}{' [OPTIONS]' if self.flags else ''}{' ' if self.usage else ''}{self.usage}"

    @property
    def title(self) -> str:
        """The command as typed: `labbox run`."""
        return f"labbox {self.name}" if self.name else "labbox"


class CommandLineError(UsageError):
    """A command line that does not fit its command; `usage` is shown under the message."""

    def __init__(self, message: str, command: Command, *, hint: str | None = None, exit_code: int = 125) -> None:
        super().__init__(message, hint=hint, exit_code=exit_code)
        self.usage = f"{command.usage_line}\n\nRun '{command.title} --help' for more information"


class HelpWanted(Exception):  # noqa: N818  (not an error: the user asked)
    """The command line asks for the command's help."""

    def __init__(self, command: Command) -> None:
        super().__init__(command.name)
        self.command = command


class Arguments(NamedTuple):
    """A parsed command line: positionals as typed, flags by name with every value they were given."""

    command: Command
    positionals: tuple[str, ...]
    given: dict[str, list[str]]

    def is_set(self, name: str) -> bool:
        """True when the flag stands on the command line, whatever its value."""
        return name in self.given

    def switch(self, name: str) -> bool:
        """The state of a switch."""
        values = self.given.get(name)
        return (values[-1] if values else self._flag(name).default) == "true"

    def text(self, name: str) -> str | None:
        """The last value of a flag, or None when it was not given."""
        values = self.given.get(name)
        return values[-1] if values else None

    def texts(self, name: str) -> list[str]:
        """Every value of a repeatable flag, in order."""
        return self.given.get(name, [])

    def number(self, name: str) -> int | None:
        """The value of an `int` flag (already checked), or None when it was not given."""
        values = self.given.get(name)
        return int(values[-1], 0) if values else None

    def value(self, name: str, convert: Callable[[str], Value]) -> Value | None:
        """The last value of a flag read by `convert`; what it raises is reported as this flag's fault."""
        values = self.given.get(name)
        return self._convert(name, values[-1], convert) if values else None

    def values(self, name: str, convert: Callable[[str], Value]) -> list[Value]:
        """Every value of a repeatable flag read by `convert`."""
        return [self._convert(name, text, convert) for text in self.given.get(name, [])]

    def _convert(self, name: str, text: str, convert: Callable[[str], Value]) -> Value:
        try:
            return convert(text)
        except UsageError as error:
            raise invalid_argument(self.command, self._flag(name), text, error.message, hint=error.hint) from error

    def _flag(self, name: str) -> Flag:
        return next(flag for flag in self.command.flags if flag.name == name)


def parse(command: Command, arguments: Sequence[str]) -> Arguments:
    """Read a command line; raises CommandLineError with docker's message, or HelpWanted."""
    parsed = _Parser(command).parse(arguments)
    if "help" in parsed.given:
        raise HelpWanted(command)
    check_count(command, len(parsed.positionals))
    return parsed


def invalid_argument(
    command: Command, flag: Flag, text: str, reason: str, *, hint: str | None = None
) -> CommandLineError:
    """The error for a value that its flag does not take."""
    return CommandLineError(f'invalid argument "{text}" for "{flag.title}" flag: {reason}', command, hint=hint)


def parse_switch(text: str) -> bool:
    """Go's spelling of true and false."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise UsageError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def parse_integer(text: str) -> int:
    """Go's integers: decimal, 0x, 0o, 0b, with a sign; 64 bits."""
    try:
        number = int(text, 0) if not text.lstrip("+-").isdigit() else int(text)
    except ValueError:
        raise UsageError(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    if not -(1 << 63) <= number < 1 << 63:
        raise UsageError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


class _Parser:
    """The state of one pass over a command line."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.by_name = {flag.name: flag for flag in command.flags}
        self.by_short = {flag.short: flag for flag in command.flags if flag.short}
        self.given: dict[str, list[str]] = {}
        self.rest: list[str] = []

    def parse(self, arguments: Sequence[str]) -> Arguments:
        positionals: list[str] = []
        self.rest = list(arguments)
        while self.rest:
            argument = self.rest.pop(0)
            if argument == "--":
                break
            if argument.startswith("--"):
                self._read_long(argument)
            elif argument.startswith("-") and argument != "-":
                self._read_cluster(argument)
            else:
                positionals.append(argument)
                if self.command.options_end_at_positional:
                    break
        return Arguments(self.command, (*positionals, *self.rest), self.given)

    def _read_long(self, argument: str) -> None:
        name, equals, value = argument[2:].partition("=")
        if not name or name.startswith("-"):
            raise CommandLineError(f"bad flag syntax: {argument}", self.command)
        flag = self.by_name.get(name)
        if flag is None:
            if name == "help":
                self.given["help"] = ["true"]
                return
            raise self._unknown(name, f"unknown flag: --{name}")
        if equals:
            self._store(flag, value)
        elif not flag.kind:
            self._store(flag, "true")
        else:
            self._store(flag, self._next(f"flag needs an argument: --{name}"))

    def _read_cluster(self, argument: str) -> None:
        cluster = argument[1:]
        while cluster:
            letter, cluster = cluster[0], cluster[1:]
            flag = self.by_short.get(letter)
            if flag is None:
                if letter == "h":
                    self.given["help"] = ["true"]
                    continue
                raise self._unknown(letter, f"unknown shorthand flag: '{letter}' in {argument}")
            if cluster.startswith("=") and len(cluster) > 1:
                self._store(flag, cluster[1:])
                return
            if not flag.kind:
                self._store(flag, "true")
            else:
                self._store(flag, cluster or self._next(f"flag needs an argument: '{letter}' in {argument}"))
                return

    def _next(self, message: str) -> str:
        if not self.rest:
            raise CommandLineError(message, self.command)
        return self.rest.pop(0)

    def _store(self, flag: Flag, value: str) -> None:
        try:
            if not flag.kind:
                value = "true" if parse_switch(value) else "false"
            elif flag.kind == "int":
                value = str(parse_integer(value))
        except UsageError as error:
            raise invalid_argument(self.command, flag, value, error.message) from error
        self.given.setdefault(flag.name, []).append(value)

    def _unknown(self, name: str, message: str) -> UsageError:
        from labbox.cli.unknown import unknown_flag  # only a mistake needs it

        return unknown_flag(self.command, name, message)


def check_count(command: Command, count: int) -> None:
    """Refuse, in docker's words, more or fewer positionals than the command takes."""
    low, high = command.minimum, command.maximum
    if count >= low and (high is None or count <= high):
        return
    if high == 0:
        wanted = "accepts no arguments"
    elif high == low:
        wanted = f"requires {_arguments(low)}"
    elif high is None:
        wanted = f"requires at least {_arguments(low)}"
    elif not low:
        wanted = f"requires at most {_arguments(high)}"
    else:
        wanted = f"requires at least {low} and at most {_arguments(high)}"
    raise CommandLineError(f"'{command.title}' {wanted}", command, exit_code=1)


def _arguments(count: int) -> str:
    return f"{count} argument" if count == 1 else f"{count} arguments"
