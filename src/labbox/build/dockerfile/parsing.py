"""From statements to instructions: each checked for its flags and arguments before anything is built.

Source: docs.docker.com/reference/dockerfile; moby buildkit frontend/dockerfile/instructions/parse.go.
"""

import json
import re
from collections.abc import Callable
from difflib import get_close_matches

from labbox.build.dockerfile.failures import DockerfileError
from labbox.build.dockerfile.instructions import (
    Arg,
    Configure,
    Copy,
    From,
    Instruction,
    Maintainer,
    NetworkMode,
    Run,
    WorkingDirectory,
)
from labbox.build.dockerfile.run_mounts import parse_mount
from labbox.build.dockerfile.statements import ParsedFile, Statement, parse_line, parse_statements, raw_words
from labbox.errors import UsageError
from labbox.oci.config import ImageConfig
from labbox.oci.config_changes import apply_changes
from labbox.oci.platform import Platform
from labbox.oci.shell_words import split_words

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*$")
_NO_TRIGGERS = ("ONBUILD", "FROM", "MAINTAINER")
_CONFIGURE = ("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "ONBUILD", "SHELL", "STOPSIGNAL", "USER", "VOLUME")
_HEALTHCHECK_FLAGS = frozenset({"interval", "timeout", "start-period", "start-interval", "retries"})
_NETWORKS: dict[str, NetworkMode] = {"default": "default", "none": "none", "host": "host"}
_SWITCHES = frozenset({"link", "parents", "keep-git-dir", "unpack"})
_REPEATABLE = frozenset({"mount", "exclude"})


def parse_dockerfile(text: str) -> tuple[ParsedFile, tuple[Instruction, ...]]:
    """Every instruction of a Dockerfile; raises DockerfileError for the first fault, with its line."""
    parsed = parse_statements(text)
    return parsed, tuple(parse_instruction(statement, parsed.escape) for statement in parsed.statements)


def parse_trigger(text: str) -> Instruction:
    """An instruction that ONBUILD has kept in an image."""
    return parse_instruction(parse_line(text), "\\")


def parse_instruction(statement: Statement, escape: str) -> Instruction:
    """One instruction; raises DockerfileError."""
    parse = _PARSERS.get(statement.name)
    if parse is None:
        near = get_close_matches(statement.name, _PARSERS, n=1)
        raise DockerfileError(
            f"unknown instruction: {statement.name}" + (f" (did you mean {near[0]}?)" if near else ""),
            line=statement.line,
        )
    if not statement.text and not statement.heredocs:
        raise DockerfileError(f"{statement.name} requires at least one argument", line=statement.line)
    try:
        return parse(statement, escape)
    except UsageError as error:
        raise DockerfileError(error.message, line=statement.line, hint=error.hint) from error


def _parse_from(statement: Statement, escape: str) -> From:
    flags = _flags(statement, "platform")
    words = raw_words(statement.text, escape)
    if len(words) == 1:
        return From(statement=statement, image=words[0], platform=flags.get("platform", ""))
    if len(words) != 3 or words[1].upper() != "AS":
        raise UsageError("FROM requires either one or three arguments: FROM image [AS name]")
    name = words[2].lower()
    if not _STAGE_NAME.match(name):
        raise UsageError(f"invalid name for build stage: `{words[2]}`, it starts with a letter")
    return From(statement=statement, image=words[0], stage_name=name, platform=flags.get("platform", ""))


def _parse_arg(statement: Statement, escape: str) -> Arg:
    _flags(statement)
    pairs: list[tuple[str, str | None]] = []
    for word in raw_words(statement.text, escape):
        name, equals, value = word.partition("=")
        names = split_words(name, {}, escape=escape)
        if len(names) != 1:
            raise UsageError("ARG names can not be blank")
        pairs.append((names[0], value if equals else None))
    return Arg(statement=statement, pairs=tuple(pairs))


def _parse_run(statement: Statement, escape: str) -> Run:
    flags = _flags(statement, "mount", "network", "security")
    network = _NETWORKS.get(flags.get("network", "default"))
    if network is None:
        raise UsageError(f"invalid network mode `{flags['network']}`: it is default, none or host")
    security = flags.get("security", "sandbox")
    if security not in ("sandbox", "insecure"):
        raise UsageError(f"security `{security}` is not valid: it is sandbox or insecure")
    words = json_words(statement.text)
    script, program = ("", "") if words is not None else _run_script(statement, escape)
    return Run(
        statement=statement,
        words=words,
        script=script,
        program=program,
        mounts=tuple(parse_mount(value) for name, value in statement.flags if name == "mount" and value is not None),
        network=network,
        security="insecure" if security == "insecure" else "sandbox",
    )


def _run_script(statement: Statement, escape: str) -> tuple[str, str]:
    """What the shell is to run, or the program that a lone here-document with `#!` is."""
    if not statement.heredocs:
        return statement.text, ""
    first = statement.heredocs[0]
    if len(raw_words(statement.text, escape)) == 1 and len(statement.heredocs) == 1:
        return ("", first.text) if first.text.startswith("#!") else (first.text, "")
    bodies = "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in statement.heredocs)
    return statement.text + bodies, ""


def _parse_copy(statement: Statement, escape: str) -> Copy:
    flags = _flags(statement, "from", "chown", "chmod", "link", "parents", "exclude")
    return _copy_of(statement, escape, flags)


def _parse_add(statement: Statement, escape: str) -> Copy:
    flags = _flags(statement, "chown", "chmod", "link", "checksum", "keep-git-dir", "exclude", "unpack")
    return _copy_of(statement, escape, flags)


def _copy_of(statement: Statement, escape: str, flags: dict[str, str]) -> Copy:
    words = list(json_words(statement.text) or raw_words(statement.text, escape))
    if len(words) < 2:
        raise UsageError(f"{statement.name} requires at least two arguments: sources and a destination")
    openings = {heredoc.name for heredoc in statement.heredocs}
    return Copy(
        statement=statement,
        sources=tuple(word for word in words[:-1] if not ("<<" in word and _opened(word) in openings)),
        destination=words[-1],
        heredocs=statement.heredocs,
        is_add=statement.name == "ADD",
        from_stage=flags.get("from", ""),
        owner=flags.get("chown", ""),
        mode=flags.get("chmod", ""),
        link=flags.get("link") == "true",
        parents=flags.get("parents") == "true",
        excludes=tuple(value for name, value in statement.flags if name == "exclude" and value),
        checksum=flags.get("checksum", ""),
        keeps_git_dir=flags.get("keep-git-dir") == "true",
        unpack={"true": True, "false": False}.get(flags.get("unpack", "")),
    )


def _opened(word: str) -> str:
    return word.partition("<<")[2].lstrip("-").strip("'\"")


def _parse_maintainer(statement: Statement, _: str) -> Maintainer:
    _flags(statement)
    return Maintainer(statement=statement, author=statement.text)


def _parse_working_directory(statement: Statement, _: str) -> WorkingDirectory:
    _flags(statement)
    return WorkingDirectory(statement=statement, path=statement.text)


def _parse_configure(statement: Statement, escape: str) -> Configure:
    _flags(statement)
    _check_configure(statement, escape)
    return Configure(statement=statement)


def _parse_healthcheck(statement: Statement, escape: str) -> Configure:
    _flags(statement, *_HEALTHCHECK_FLAGS)
    _check_configure(statement, escape)
    return Configure(statement=statement)


def _parse_onbuild(statement: Statement, escape: str) -> Configure:
    trigger = statement.text.split(None, 1)[0].upper()
    if trigger in _NO_TRIGGERS:
        raise UsageError(f"{trigger} isn't allowed as an ONBUILD trigger")
    parse_instruction(parse_line(statement.text, escape, line=statement.line), escape)
    return Configure(statement=statement)


def _check_configure(statement: Statement, escape: str) -> None:
    """Find now what is wrong whatever the variables are."""
    if "$" not in statement.text:
        apply_changes(ImageConfig(Platform("linux", "amd64")), [statement.written], escape=escape)


def _flags(statement: Statement, *known: str) -> dict[str, str]:
    """The flags by name, the last value of each; a switch without a value is `true`."""
    found: dict[str, str] = {}
    for name, value in statement.flags:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise UsageError(
                f"unknown flag: --{name}" + (f" (did you mean --{near[0]}?)" if near else f" of {statement.name}")
            )
        if name in found and name not in _REPEATABLE:
            raise UsageError(f"duplicate flag specified: --{name}")
        if value is None and name not in _SWITCHES:
            raise UsageError(f"missing a value on flag: --{name}")
        if name in _SWITCHES and (value or "true").lower() not in ("true", "false"):
            raise UsageError(f"expecting boolean value for flag --{name}, not: {value}")
        found[name] = (value or "true").lower() if name in _SWITCHES else value or ""
    return found


def json_words(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON list, or None when the text is none: it is for the shell then."""
    if not text.lstrip().startswith("["):
        return None
    try:
        words = json.loads(text)
    except ValueError:
        return None
    return tuple(words) if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


_PARSERS: dict[str, Callable[[Statement, str], Instruction]] = {
    "ADD": _parse_add,
    "ARG": _parse_arg,
    "COPY": _parse_copy,
    "FROM": _parse_from,
    "HEALTHCHECK": _parse_healthcheck,
    "MAINTAINER": _parse_maintainer,
    "RUN": _parse_run,
    "WORKDIR": _parse_working_directory,
    **dict.fromkeys(_CONFIGURE, _parse_configure),
    "ONBUILD": _parse_onbuild,
}
