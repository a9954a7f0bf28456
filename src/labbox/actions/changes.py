"""Dockerfile instructions that change an image's configuration, as `commit -c` and `import -c` take them.

Source: docs.docker.com/reference/dockerfile; which are allowed: moby, builder/dockerfile (validCommitCommands).
"""

import json
from collections.abc import Callable

from labbox.errors import UsageError
from labbox.oci.config import ImageConfig

Change = Callable[[ImageConfig, str], ImageConfig]


def apply_changes(config: ImageConfig, changes: list[str]) -> ImageConfig:
    """The configuration after all instructions; raises UsageError naming the one that cannot be read."""
    for text in changes:
        name, _, rest = text.strip().partition(" ")
        change = _CHANGES.get(name.upper())
        if change is None:
            raise UsageError(
                f"{name.lower()} is not a valid change command",
                hint=f"the instructions are {', '.join(sorted(_CHANGES))}",
                exit_code=1,
            )
        if not rest.strip():
            raise UsageError(f"{name.upper()} requires at least one argument", exit_code=1)
        config = change(config, rest.strip())
    return config


def _command(config: ImageConfig, text: str) -> ImageConfig:
    return config._replace(cmd=_exec_or_shell(text, config))


def _entrypoint(config: ImageConfig, text: str) -> ImageConfig:
    return config._replace(entrypoint=_exec_or_shell(text, config))


def _environment(config: ImageConfig, text: str) -> ImageConfig:
    for name, value in _pairs(text, "ENV"):
        config = config.with_environment(name, value)
    return config


def _label(config: ImageConfig, text: str) -> ImageConfig:
    return config._replace(labels={**config.labels, **dict(_pairs(text, "LABEL"))})


def _expose(config: ImageConfig, text: str) -> ImageConfig:
    ports = {port if "/" in port else f"{port}/tcp" for port in text.split()}
    for port in ports:
        number, _, protocol = port.partition("/")
        if not number.isdigit() or protocol not in {"tcp", "udp", "sctp"}:
            raise UsageError(f"invalid containerPort: {port}", exit_code=1)
    return config._replace(exposed_ports=tuple(sorted({*config.exposed_ports, *ports})))


def _user(config: ImageConfig, text: str) -> ImageConfig:
    return config._replace(user=text)


def _volume(config: ImageConfig, text: str) -> ImageConfig:
    paths = _json_words(text) or tuple(text.split())
    return config._replace(volumes=tuple(sorted({*config.volumes, *paths})))


def _working_dir(config: ImageConfig, text: str) -> ImageConfig:
    path = text if text.startswith("/") else f"{config.working_dir.rstrip('/')}/{text}"
    return config._replace(working_dir=path)


def _stop_signal(config: ImageConfig, text: str) -> ImageConfig:
    return config._replace(stop_signal=text)


def _on_build(config: ImageConfig, text: str) -> ImageConfig:
    return config._replace(on_build=(*config.on_build, text))


_CHANGES: dict[str, Change] = {
    "CMD": _command,
    "ENTRYPOINT": _entrypoint,
    "ENV": _environment,
    "EXPOSE": _expose,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _working_dir,
}


def _exec_or_shell(text: str, config: ImageConfig) -> tuple[str, ...]:
    """A JSON list is the command itself; anything else is for the image's shell."""
    words = _json_words(text)
    return words if words is not None else (*(config.shell or ("/bin/sh", "-c")), text)


def _json_words(text: str) -> tuple[str, ...] | None:
    try:
        words = json.loads(text)
    except ValueError:
        return None
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return tuple(words)
    return None


def _pairs(text: str, instruction: str) -> list[tuple[str, str]]:
    """`a=b c="d e"`, or the older `a b c` that gives one variable everything after its name."""
    import shlex  # noqa: PLC0415  (slow to import)

    first, _, rest = text.partition(" ")
    if "=" not in first:
        if not rest:
            raise UsageError(f"{instruction} must have two arguments", exit_code=1)
        return [(first, rest.strip())]
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{instruction} `{text}`: {error}", exit_code=1) from error
    for word in words:
        if "=" not in word or word.startswith("="):
            raise UsageError(f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value', exit_code=1)
    return [(name, value) for name, _, value in (word.partition("=") for word in words)]
