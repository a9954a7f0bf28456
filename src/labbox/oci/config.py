"""The configuration of an image: what runs in it by default, and how it came to be (image-spec config.md).

Docker's additions (Healthcheck, Shell, OnBuild, ArgsEscaped) are read and kept. Members that labbox does not know
survive a round trip. Every change returns a new value.
"""

from labbox.lightweight_typing import Any, Mapping, NamedTuple
from labbox.oci import document
from labbox.oci.canonical_json import encode_canonical
from labbox.oci.digest import Digest
from labbox.oci.platform import Platform

_TOP_MEMBERS = frozenset({"architecture", "os", "variant", "created", "author", "config", "history", "rootfs"})


class Healthcheck(NamedTuple):
    """How docker asks a container whether it is well; times in nanoseconds, 0 means the default."""

    test: tuple[str, ...] = ()
    interval_ns: int = 0
    timeout_ns: int = 0
    start_period_ns: int = 0
    start_interval_ns: int = 0
    retries: int = 0


class History(NamedTuple):
    """How one layer (or one change without a layer) came to be."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfig(NamedTuple):
    """One image's configuration; `None` for `entrypoint` and `cmd` means: not said.

    `extra` and `extra_runtime` keep the unknown members of the document and of its `config` member.
    """

    platform: Platform
    diff_ids: tuple[Digest, ...] = ()
    created: str = ""
    author: str = ""
    history: tuple[History, ...] = ()
    user: str = ""
    environment: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    working_dir: str = ""
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}  # noqa: RUF012  (never changed)
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    shell: tuple[str, ...] = ()
    on_build: tuple[str, ...] = ()
    args_escaped: bool = False
    extra: Mapping[str, Any] = {}  # noqa: RUF012  (never changed)
    extra_runtime: Mapping[str, Any] = {}  # noqa: RUF012  (never changed)

    def with_layer(self, diff_id: Digest, history: History) -> "ImageConfig":
        """The configuration after one more layer on top."""
        return self._replace(diff_ids=(*self.diff_ids, diff_id), history=(*self.history, history))

    def with_environment(self, name: str, value: str) -> "ImageConfig":
        """The configuration with a variable set: in its old place when it was there, else at the end."""
        setting = f"{name}={value}"
        kept = [setting if entry.partition("=")[0] == name else entry for entry in self.environment]
        return self._replace(environment=tuple(kept if setting in kept else [*kept, setting]))


def parse_config(data: bytes, what: str = "image config") -> ImageConfig:
    """The configuration that some bytes spell; raises ArchiveError naming the faulty member."""
    members = document.parse_object(data, what)
    runtime = document.as_object(members.get("config") or {}, f"{what}.config")
    rootfs = document.required(members, "rootfs", what, document.as_object)
    diff_ids = document.as_list(rootfs.get("diff_ids"), f"{what}.rootfs.diff_ids")
    history = document.as_list(members.get("history"), f"{what}.history")
    bare = ImageConfig(
        platform=Platform(
            os=document.required(members, "os", what, document.as_text),
            architecture=document.required(members, "architecture", what, document.as_text),
            variant=document.optional(members, "variant", what, document.as_text, ""),
        ),
        diff_ids=tuple(document.as_digest(item, f"{what}.rootfs.diff_ids[{at}]") for at, item in enumerate(diff_ids)),
        created=document.optional(members, "created", what, document.as_text, ""),
        author=document.optional(members, "author", what, document.as_text, ""),
        history=tuple(_parse_history(item, f"{what}.history[{at}]") for at, item in enumerate(history)),
        extra={key: value for key, value in members.items() if key not in _TOP_MEMBERS},
    )
    return _with_runtime(bare, runtime, f"{what}.config")


def encode_config(config: ImageConfig) -> bytes:
    """The configuration as canonical JSON."""
    platform = config.platform
    result: dict[str, Any] = {
        **config.extra,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": {**config.extra_runtime, **_runtime_document(config)},
        "rootfs": {"type": "layers", "diff_ids": [str(diff_id) for diff_id in config.diff_ids]},
        "history": [_history_document(entry) for entry in config.history],
    }
    said = {"variant": platform.variant, "created": config.created, "author": config.author}
    result.update({key: value for key, value in said.items() if value})
    return encode_canonical(result)


_RUNTIME_MEMBERS = frozenset({
    "User", "Env", "Entrypoint", "Cmd", "WorkingDir", "ExposedPorts", "Volumes", "Labels", "StopSignal",
    "Healthcheck", "Shell", "OnBuild", "ArgsEscaped",
})  # fmt: skip


def _with_runtime(config: ImageConfig, runtime: Mapping[str, Any], path: str) -> ImageConfig:
    def texts(key: str) -> tuple[str, ...]:
        return document.as_texts(runtime.get(key), f"{path}.{key}")

    def names(key: str) -> tuple[str, ...]:
        return tuple(sorted(document.as_object(runtime.get(key) or {}, f"{path}.{key}")))

    return config._replace(
        user=document.optional(runtime, "User", path, document.as_text, ""),
        environment=texts("Env"),
        entrypoint=texts("Entrypoint") if runtime.get("Entrypoint") is not None else None,
        cmd=texts("Cmd") if runtime.get("Cmd") is not None else None,
        working_dir=document.optional(runtime, "WorkingDir", path, document.as_text, ""),
        exposed_ports=names("ExposedPorts"),
        volumes=names("Volumes"),
        labels=document.optional(runtime, "Labels", path, document.as_text_map, {}),
        stop_signal=document.optional(runtime, "StopSignal", path, document.as_text, ""),
        healthcheck=document.optional(runtime, "Healthcheck", path, _parse_healthcheck, None),
        shell=texts("Shell"),
        on_build=texts("OnBuild"),
        args_escaped=document.optional(runtime, "ArgsEscaped", path, document.as_flag, False),
        extra_runtime={key: value for key, value in runtime.items() if key not in _RUNTIME_MEMBERS},
    )


def _runtime_document(config: ImageConfig) -> dict[str, Any]:
    """The `config` member; what is empty is left out."""
    result: dict[str, Any] = {
        "User": config.user,
        "Env": list(config.environment),
        "WorkingDir": config.working_dir,
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Volumes": {volume: {} for volume in config.volumes},
        "Labels": dict(config.labels),
        "StopSignal": config.stop_signal,
        "Healthcheck": None if config.healthcheck is None else _healthcheck_document(config.healthcheck),
        "Shell": list(config.shell),
        "OnBuild": list(config.on_build),
        "ArgsEscaped": config.args_escaped,
    }
    result = {key: value for key, value in result.items() if value}
    if config.entrypoint is not None:
        result["Entrypoint"] = list(config.entrypoint)
    if config.cmd is not None:
        result["Cmd"] = list(config.cmd)
    return result


def _parse_history(value: Any, path: str) -> History:
    members = document.as_object(value, path)
    return History(
        created=document.optional(members, "created", path, document.as_text, ""),
        created_by=document.optional(members, "created_by", path, document.as_text, ""),
        author=document.optional(members, "author", path, document.as_text, ""),
        comment=document.optional(members, "comment", path, document.as_text, ""),
        empty_layer=document.optional(members, "empty_layer", path, document.as_flag, False),
    )


def _history_document(entry: History) -> dict[str, Any]:
    return {key: value for key, value in entry._asdict().items() if value}


_HEALTHCHECK_TIMES = (
    ("Interval", "interval_ns"),
    ("Timeout", "timeout_ns"),
    ("StartPeriod", "start_period_ns"),
    ("StartInterval", "start_interval_ns"),
    ("Retries", "retries"),
)


def _parse_healthcheck(value: Any, path: str) -> Healthcheck | None:
    members = document.as_object(value, path)
    times = {field: document.optional(members, key, path, document.as_integer, 0) for key, field in _HEALTHCHECK_TIMES}
    return Healthcheck(test=document.as_texts(members.get("Test"), f"{path}.Test"), **times)


def _healthcheck_document(healthcheck: Healthcheck) -> dict[str, Any]:
    fields = healthcheck._asdict()
    result: dict[str, Any] = {"Test": list(healthcheck.test)} if healthcheck.test else {}
    result.update({key: fields[field] for key, field in _HEALTHCHECK_TIMES if fields[field]})
    return result
