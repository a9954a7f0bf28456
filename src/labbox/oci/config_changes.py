"""Changes of an image's configuration written as Dockerfile lines: `commit -c`, `import -c`.

Source: docs.docker.com/reference/cli/docker/container/commit, "--change"; moby builder/dockerfile/dispatchers.go.
"""

import json
import posixpath
from collections.abc import Callable, Sequence

from labbox.errors import UsageError
from labbox.oci.config import Healthcheck, ImageConfig
from labbox.oci.shell_words import expand_word, split_words

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


def apply_changes(config: ImageConfig, changes: Sequence[str]) -> ImageConfig:
    """The configuration after Dockerfile lines, each one of `CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD
    STOPSIGNAL USER VOLUME WORKDIR`; raises UsageError for what cannot be understood.
    """  # noqa: D205  (one sentence)
    has_cmd = False
    for change in changes:
        name, _, rest = change.strip().partition(" ")
        instruction = name.upper()
        if instruction not in _INSTRUCTIONS:
            raise UsageError(f"`{name}` is not a valid change command", hint=f"use one of {' '.join(_INSTRUCTIONS)}")
        if not rest.strip():
            raise UsageError(f"`{instruction}` requires at least one argument")
        config = _INSTRUCTIONS[instruction](config, rest.strip())
        has_cmd = has_cmd or instruction == "CMD"
        if instruction == "ENTRYPOINT" and not has_cmd:
            config = config._replace(cmd=None)  # the image's own CMD was meant for its own ENTRYPOINT
    return config


def _apply_cmd(config: ImageConfig, text: str) -> ImageConfig:
    return config._replace(cmd=_command(config, text), args_escaped=False)


def _apply_entrypoint(config: ImageConfig, text: str) -> ImageConfig:
    return config._replace(entrypoint=_command(config, text))


def _apply_env(config: ImageConfig, text: str) -> ImageConfig:
    for name, value in _pairs("ENV", config, text):
        config = config.with_environment(name, value)
    return config


def _apply_label(config: ImageConfig, text: str) -> ImageConfig:
    return config._replace(labels={**config.labels, **dict(_pairs("LABEL", config, text))})


def _apply_expose(config: ImageConfig, text: str) -> ImageConfig:
    ports = [port for word in split_words(text, _variables(config)) for port in _ports(word)]
    return config._replace(exposed_ports=tuple(sorted({*config.exposed_ports, *ports})))


def _apply_volume(config: ImageConfig, text: str) -> ImageConfig:
    paths = _json_list(text)
    variables = _variables(config)
    words = [expand_word(path, variables) for path in paths] if paths is not None else split_words(text, variables)
    if not all(word.strip() for word in words):
        raise UsageError("VOLUME specified can not be an empty string")
    return config._replace(volumes=tuple(sorted({*config.volumes, *words})))


def _apply_user(config: ImageConfig, text: str) -> ImageConfig:
    return config._replace(user=expand_word(text, _variables(config)))


def _apply_working_dir(config: ImageConfig, text: str) -> ImageConfig:
    path = expand_word(text, _variables(config))
    return config._replace(working_dir=posixpath.normpath(posixpath.join("/", config.working_dir, path)))


def _apply_stop_signal(config: ImageConfig, text: str) -> ImageConfig:
    name = expand_word(text, _variables(config))
    if not name.replace("+", "").replace("-", "").isalnum():
        raise UsageError(f"invalid signal: {name}")
    return config._replace(stop_signal=name)


def _apply_on_build(config: ImageConfig, text: str) -> ImageConfig:
    trigger = text.partition(" ")[0].upper()
    if trigger in _NO_TRIGGERS:
        raise UsageError(f"`{trigger}` isn't allowed as an ONBUILD trigger")
    return config._replace(on_build=(*config.on_build, text))


def _apply_healthcheck(config: ImageConfig, text: str) -> ImageConfig:
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


_INSTRUCTIONS: dict[str, Callable[[ImageConfig, str], ImageConfig]] = {
    "CMD": _apply_cmd,
    "ENTRYPOINT": _apply_entrypoint,
    "ENV": _apply_env,
    "EXPOSE": _apply_expose,
    "HEALTHCHECK": _apply_healthcheck,
    "LABEL": _apply_label,
    "ONBUILD": _apply_on_build,
    "STOPSIGNAL": _apply_stop_signal,
    "USER": _apply_user,
    "VOLUME": _apply_volume,
    "WORKDIR": _apply_working_dir,
}


def _variables(config: ImageConfig) -> dict[str, str]:
    return dict(entry.partition("=")[::2] for entry in config.environment)


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


def _pairs(instruction: str, config: ImageConfig, text: str) -> list[tuple[str, str]]:
    """`name=value` pairs, or the old form `name value` where the value is the whole rest of the line."""
    variables = _variables(config)
    first, _, rest = text.partition(" ")
    if "=" not in first:
        if not rest.strip():
            raise UsageError(f"`{instruction}` must have two arguments")
        return [(expand_word(first, variables), expand_word(rest.strip(), variables))]
    pairs = []
    for word in split_words(text, variables):
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"can't find `=` in `{word}`: must be of the form name=value")
        if not name:
            raise UsageError(f"`{instruction}` names can not be blank")
        pairs.append((name, value))
    return pairs


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
