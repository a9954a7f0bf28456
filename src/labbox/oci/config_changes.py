"""Changes of an image's configuration written as Dockerfile lines: `commit -c`, `import -c`.

Source: docs.docker.com/reference/cli/docker/container/commit, "--change"; moby builder/dockerfile/dispatchers.go.
"""

import json
import posixpath
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from labbox.errors import UsageError
from labbox.oci.config import Healthcheck, ImageConfig
from labbox.oci.shell_words import DEFAULT_ESCAPE, expand_word, split_words

_DEFAULT_SHELL = ("/bin/sh", "-c")
_NO_TRIGGERS = ("ONBUILD", "FROM", "MAINTAINER")
_LARGEST_PORT = 65535
_UNITS_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_HEALTHCHECK_FLAGS = {
    "--interval": "interval_ns",
    "--timeout": "timeout_ns",
    "--start-period": "start_period_ns",
    "--start-interval": "start_interval_ns",
    "--retries": "retries",
}


def apply_changes(
    config: ImageConfig,
    changes: Sequence[str],
    *,
    arguments: Mapping[str, str] | None = None,
    escape: str = DEFAULT_ESCAPE,
    has_cmd: bool = False,
) -> ImageConfig:
    """The configuration after Dockerfile lines, each one of `CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD
    SHELL STOPSIGNAL USER VOLUME WORKDIR`; raises UsageError for what cannot be understood.

    `arguments` are variables (ARG) that the configuration's own hide; `has_cmd`: a CMD line came before these.
    """  # noqa: D205  (one sentence)
    scope = _Scope(arguments or {}, escape)
    for change in changes:
        name, rest = _first_word(change)
        instruction = name.upper()
        if instruction not in _INSTRUCTIONS:
            raise UsageError(f"`{name}` is not a valid change command", hint=f"use one of {' '.join(_INSTRUCTIONS)}")
        if not rest.strip():
            raise UsageError(f"`{instruction}` requires at least one argument")
        config = _INSTRUCTIONS[instruction](config, rest.strip(), scope)
        has_cmd = has_cmd or instruction == "CMD"
        if instruction == "ENTRYPOINT" and not has_cmd:
            config = config._replace(cmd=None)  # the image's own CMD was meant for its own ENTRYPOINT
    return config


class _Scope(NamedTuple):
    """What variables mean besides those of the configuration, and the escape character."""

    arguments: Mapping[str, str]
    escape: str

    def expand(self, config: ImageConfig, text: str) -> str:
        return expand_word(text, self._variables(config), escape=self.escape)

    def split(self, config: ImageConfig, text: str) -> list[str]:
        return split_words(text, self._variables(config), escape=self.escape)

    def _variables(self, config: ImageConfig) -> dict[str, str]:
        return {**self.arguments, **dict(entry.partition("=")[::2] for entry in config.environment)}


def _apply_cmd(config: ImageConfig, text: str, _scope: _Scope) -> ImageConfig:
    return config._replace(cmd=_command(config, text), args_escaped=False)


def _apply_entrypoint(config: ImageConfig, text: str, _scope: _Scope) -> ImageConfig:
    return config._replace(entrypoint=_command(config, text))


def _apply_env(config: ImageConfig, text: str, scope: _Scope) -> ImageConfig:
    for name, value in _pairs("ENV", config, text, scope):
        config = config.with_environment(name, value)
    return config


def _apply_label(config: ImageConfig, text: str, scope: _Scope) -> ImageConfig:
    return config._replace(labels={**config.labels, **dict(_pairs("LABEL", config, text, scope))})


def _apply_expose(config: ImageConfig, text: str, scope: _Scope) -> ImageConfig:
    ports = [port for word in scope.split(config, text) for part in word.split() for port in _ports(part)]
    return config._replace(exposed_ports=tuple(sorted({*config.exposed_ports, *ports})))


def _apply_volume(config: ImageConfig, text: str, scope: _Scope) -> ImageConfig:
    paths = _json_list(text)
    words = [scope.expand(config, path) for path in paths] if paths is not None else scope.split(config, text)
    if not all(word.strip() for word in words):
        raise UsageError("VOLUME specified can not be an empty string")
    return config._replace(volumes=tuple(sorted({*config.volumes, *words})))


def _apply_user(config: ImageConfig, text: str, scope: _Scope) -> ImageConfig:
    return config._replace(user=scope.expand(config, text))


def _apply_working_dir(config: ImageConfig, text: str, scope: _Scope) -> ImageConfig:
    path = scope.expand(config, text)
    return config._replace(working_dir=posixpath.normpath(posixpath.join("/", config.working_dir, path)))


def _apply_shell(config: ImageConfig, text: str, _scope: _Scope) -> ImageConfig:
    words = _json_list(text)
    if not words:
        raise UsageError("SHELL requires the arguments to be in JSON form", hint='write it like ["/bin/sh", "-c"]')
    return config._replace(shell=tuple(words))


def _apply_stop_signal(config: ImageConfig, text: str, scope: _Scope) -> ImageConfig:
    name = scope.expand(config, text)
    if not name.replace("+", "").replace("-", "").isalnum():
        raise UsageError(f"invalid signal: {name}")
    return config._replace(stop_signal=name)


def _apply_on_build(config: ImageConfig, text: str, _scope: _Scope) -> ImageConfig:
    trigger = text.partition(" ")[0].upper()
    if trigger in _NO_TRIGGERS:
        raise UsageError(f"`{trigger}` isn't allowed as an ONBUILD trigger")
    return config._replace(on_build=(*config.on_build, text))


def _apply_healthcheck(config: ImageConfig, text: str, _scope: _Scope) -> ImageConfig:
    settings: dict[str, int] = {}
    while text.startswith("--"):
        flag, _, text = text.partition(" ")
        name, equals, value = flag.partition("=")
        if name not in _HEALTHCHECK_FLAGS or not equals:
            raise UsageError(f"unknown flag of HEALTHCHECK: {flag}")
        settings[_HEALTHCHECK_FLAGS[name]] = _count(value) if name == "--retries" else _duration_ns(value)
        text = text.strip()
    kind, _, rest = text.partition(" ")
    if kind.upper() == "NONE" and not rest.strip():
        return config._replace(healthcheck=Healthcheck(test=("NONE",)))
    if kind.upper() != "CMD" or not rest.strip():
        raise UsageError(f"unknown type `{kind}` of HEALTHCHECK: use CMD with a command, or NONE")
    command = _json_list(rest)
    test = ("CMD", *command) if command is not None else ("CMD-SHELL", rest.strip())
    return config._replace(healthcheck=Healthcheck(test=test, **settings))


_INSTRUCTIONS: dict[str, Callable[[ImageConfig, str, _Scope], ImageConfig]] = {
    "CMD": _apply_cmd,
    "ENTRYPOINT": _apply_entrypoint,
    "ENV": _apply_env,
    "EXPOSE": _apply_expose,
    "HEALTHCHECK": _apply_healthcheck,
    "LABEL": _apply_label,
    "ONBUILD": _apply_on_build,
    "SHELL": _apply_shell,
    "STOPSIGNAL": _apply_stop_signal,
    "USER": _apply_user,
    "VOLUME": _apply_volume,
    "WORKDIR": _apply_working_dir,
}


def _command(config: ImageConfig, text: str) -> tuple[str, ...]:
    """The exec form when the text is a JSON list of strings, else the shell form."""
    words = _json_list(text)
    return tuple(words) if words is not None else (*(config.shell or _DEFAULT_SHELL), text)


def _json_list(text: str) -> list[str] | None:
    """The strings of a JSON list, or None when the text is none; docker falls back to the shell form silently."""
    if not text.lstrip().startswith("["):
        return None
    try:
        words = json.loads(text)
    except ValueError:
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _pairs(instruction: str, config: ImageConfig, text: str, scope: _Scope) -> list[tuple[str, str]]:
    """`name=value` pairs, or the old form `name value` where the value is the whole rest of the line."""
    if "=" not in _raw_first_word(text, scope.escape):
        first, rest = _first_word(text)
        if not rest.strip():
            raise UsageError(f"`{instruction}` must have two arguments")
        return [(scope.expand(config, first), scope.expand(config, rest.strip()))]
    pairs = []
    for word in scope.split(config, text):
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"can't find `=` in `{word}`: must be of the form name=value")
        if not name:
            raise UsageError(f"`{instruction}` names can not be blank")
        pairs.append((name, value))
    return pairs


def _first_word(text: str) -> tuple[str, str]:
    first, rest, *_ = [*text.split(None, 1), "", ""]
    return first, rest


def _raw_first_word(text: str, escape: str) -> str:
    """The first word as it is written: white space in quotes, or escaped, does not end it."""
    quote, at = "", 0
    while at < len(text) and (quote or not text[at].isspace()):
        if text[at] == escape and quote != "'":
            at += 1
        elif quote:
            quote = "" if text[at] == quote else quote
        elif text[at] in "'\"":
            quote = text[at]
        at += 1
    return text[:at]


def _ports(word: str) -> list[str]:
    """`80`, `80/udp` or `8000-8002/tcp` as docker keeps them."""
    numbers, _, protocol = word.partition("/")
    first, dash, last = numbers.partition("-")
    protocol = protocol.lower() or "tcp"
    if not (first.isdigit() and (last.isdigit() if dash else True)) or protocol not in ("tcp", "udp", "sctp"):
        raise UsageError(f"invalid containerPort: {word}")
    low, high = int(first), int(last or first)
    if not 0 < low <= high <= _LARGEST_PORT:
        raise UsageError(f"invalid containerPort: {word}")
    return [f"{port}/{protocol}" for port in range(low, high + 1)]


def _count(text: str) -> int:
    if not text.isdigit():
        raise UsageError(f"invalid number of retries `{text}`")
    return int(text)


def _duration_ns(text: str) -> int:
    """Nanoseconds of a duration as Go writes it: `1m30s`, `1.5h`, `300ms`."""
    total, rest = 0.0, text
    while rest:
        number = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(number) :]
        unit = next((name for name in ("ns", "us", "µs", "ms", "s", "m", "h") if rest.startswith(name)), "")
        if number.count(".") > 1 or not number.strip(".") or not unit:
            raise UsageError(f"invalid duration `{text}`", hint="write it like 30s, 1m30s or 1.5h")
        total, rest = total + float(number) * _UNITS_NS[unit], rest[len(unit) :]
    if not text:
        raise UsageError("invalid duration ``", hint="write it like 30s, 1m30s or 1.5h")
    return round(total)
