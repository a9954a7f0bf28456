"""The texts of `labbox --help`, `labbox image --help` and `labbox run --help`."""

from labbox import __version__
from labbox.cli.flags import Command, Flag
from labbox.cli.table_of_commands import COMMANDS, GROUPS, SECTIONS, Group

WIDTH = 80  # of the terminals that people have by default; docker wraps there too


def render_overview() -> str:
    """The page behind `labbox --help`: every command under its heading, one line each."""
    width = max(len(name) for name in (*COMMANDS, *GROUPS)) + 2
    lines = [
        f"labbox {__version__}: labs and containers without Docker, without a daemon, without root",
        "",
        "Usage:  labbox [OPTIONS] COMMAND",
    ]
    for section in SECTIONS:
        lines += ["", f"{section.title}:"]
        lines += [f"  {name:<{width}}{COMMANDS[name].summary}" for name in section.names]
    lines += ["", "Management commands:"]
    lines += [f"  {name:<{width}}{group.summary}" for name, group in GROUPS.items()]
    lines += [
        "",
        "Options:",
        f"  {'-D, --debug':<{width + 8}}Show a traceback when something fails (also LABBOX_DEBUG=1)",
        f"  {'-v, --version':<{width + 8}}Print version information and quit",
        "",
        "Examples:  labbox up                                 (a lab from the files of this folder)",
        "           labbox run --rm -it debian:13 bash",
        "",
        "Run 'labbox COMMAND --help' for more information on a command.",
    ]
    return "\n".join(lines)


def render_group(name: str, group: Group) -> str:
    """The page behind `labbox image --help`."""
    width = max(len(entry) for entry in group.entries) + 2
    lines = [f"Usage:  labbox {name} COMMAND", "", group.summary, "", "Commands:"]
    lines += [f"  {entry:<{width}}{group.entries[entry].summary}" for entry in sorted(group.entries)]
    lines += ["", f"Run 'labbox {name} COMMAND --help' for more information on a command."]
    return "\n".join(lines)


def render_command(command: Command) -> str:
    """The page behind `labbox run --help`, from the command's flag table."""
    lines = [command.usage_line, "", *_wrap(command.summary, WIDTH)]
    if command.description:
        lines.append("")
        lines += [line for text in command.description.strip().split("\n") for line in _wrap(text, WIDTH)]
    if command.aliases:
        lines += ["", "Aliases:", f"  labbox {', labbox '.join((command.name, *command.aliases))}"]
    if command.flags:
        lines += ["", "Options:", *render_flags(command.flags)]
    return "\n".join(lines)


def render_flags(flags: tuple[Flag, ...]) -> list[str]:
    """One entry per flag in docker's layout, in the order of their names, wrapped to the page."""
    heads = {flag: _head(flag) for flag in flags}
    indent = max(map(len, heads.values())) + 3
    lines = []
    for flag in sorted(flags, key=lambda flag: flag.name):
        first, *more = _wrap(describe(flag), WIDTH - indent)
        lines.append(f"{heads[flag]:<{indent}}{first}")
        lines += [" " * indent + line for line in more]
    return lines


def describe(flag: Flag) -> str:
    """The flag's help with its default, as docker writes it."""
    if not flag.default or flag.default == "false":
        return flag.help
    shown = f'"{flag.default}"' if flag.kind == "string" else flag.default
    return f"{flag.help} (default {shown})"


def _head(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else "    "
    return f"  {short}--{flag.name}{' ' if flag.kind else ''}{flag.kind}"


def _wrap(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines
