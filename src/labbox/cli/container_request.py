"""From the flags of `run` and `create` to what `actions.create` is asked for."""

import os

from labbox.actions.create import ContainerRequest
from labbox.cli.flags import Arguments
from labbox.engine.specification import ContainerSpec, Mount, Resources, RestartPolicy
from labbox.errors import UsageError

_STREAMS = ("stdin", "stdout", "stderr")


def read_request(arguments: Arguments) -> ContainerRequest:
    """Everything the command line says about the container; raises UsageError for a value that cannot be.

    A flag's module is imported only when the flag is there: most command lines have few.
    """
    image, *words = arguments.positionals
    entrypoint = arguments.text("entrypoint")
    return ContainerRequest(
        spec=_spec(arguments, image),
        arguments=tuple(words),
        entrypoint=None if entrypoint is None else tuple(filter(None, (entrypoint,))),
        publish_all=arguments.switch("publish-all"),
        share=arguments.switch("share"),
        volumes_from=tuple(arguments.texts("volumes-from")),
        stop_signal=arguments.text("stop-signal"),
    )


def read_attached_streams(arguments: Arguments, *, detached: bool) -> tuple[str, ...]:
    """The streams that the command line attaches to: those named, else output, and input with `-i`."""
    if detached:
        return ()
    named = arguments.values("attach", _parse_stream)
    streams = named or ["stdout", "stderr"]
    if arguments.switch("interactive") and not named:
        streams = [*_STREAMS]
    return tuple(dict.fromkeys(streams))


def _parse_stream(text: str) -> str:
    if text.lower() not in _STREAMS:
        raise UsageError("valid streams are STDIN, STDOUT and STDERR")
    return text.lower()


def _spec(arguments: Arguments, image: str) -> ContainerSpec:
    from labbox.cli.values.environment import check_variable, read_environment

    arguments.values("env", check_variable)
    spec = ContainerSpec(
        id="",
        name=arguments.text("name") or "",
        image=image,
        image_id="",
        diff_ids=(),
        created="",
        command=(),
        environment=tuple(read_environment(arguments.texts("env"), arguments.texts("env-file"), os.environ)),
        working_dir=_working_dir(arguments.text("workdir") or ""),
        user=arguments.text("user") or "",
        group_add=tuple(arguments.texts("group-add")),
        hostname=arguments.text("hostname") or "",
        domainname=arguments.text("domainname") or "",
        terminal=arguments.switch("tty"),
        open_stdin=arguments.switch("interactive"),
        init=arguments.switch("init") and not arguments.switch("no-init"),
        auto_remove=arguments.switch("rm"),
        read_only=arguments.switch("read-only"),
        stop_timeout_seconds=_or(arguments.number("stop-timeout"), 10),
    )
    for add in (_add_mounts, _add_network, _add_limits, _add_security, _add_labels, _add_gpus, _add_restart):
        spec = add(spec, arguments)
    return spec


def _add_mounts(spec: ContainerSpec, arguments: Arguments) -> ContainerSpec:
    mounts: list[Mount] = []
    if arguments.is_set("volume"):
        from labbox.engine.notation.volumes import parse_volume

        mounts += [parse_volume(text) for text in arguments.texts("volume")]
    if arguments.is_set("mount"):
        from labbox.cli.values.mounts import parse_mount

        mounts += arguments.values("mount", parse_mount)
    if arguments.is_set("tmpfs"):
        from labbox.cli.values.tmpfs import parse_tmpfs

        mounts += [parse_tmpfs(text) for text in arguments.texts("tmpfs")]
    targets = [mount.target for mount in mounts]
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError(f"Duplicate mount point: {target}")
    return spec._replace(mounts=tuple(mounts))


def _add_network(spec: ContainerSpec, arguments: Arguments) -> ContainerSpec:
    names = {"net", "network", "publish", "expose", "add-host", "dns"} & arguments.given.keys()
    if names:
        from labbox.cli.values import networks
        from labbox.engine.notation import ports

        address = ports.EVERY_ADDRESS if arguments.switch("share") else ports.LOCAL_ADDRESS
        parsed = [ports.parse_published(text, default_address=address) for text in arguments.texts("publish")]
        exposed = [port for text in arguments.texts("expose") for port in ports.parse_exposed(text)]
        spec = spec._replace(
            network=networks.parse_network(arguments.text("network") or arguments.text("net") or ""),
            ports=tuple(dict.fromkeys(binding for bindings in parsed for binding in bindings)),
            exposed_ports=tuple(exposed),
            extra_hosts=tuple(arguments.values("add-host", networks.parse_extra_host)),
            dns=tuple(arguments.values("dns", networks.parse_dns)),
        )
    return spec._replace(
        dns_search=tuple(arguments.texts("dns-search")), dns_options=tuple(arguments.texts("dns-option"))
    )


def _add_limits(spec: ContainerSpec, arguments: Arguments) -> ContainerSpec:
    if not {"ulimit", "shm-size", "memory", "memory-swap", "cpus", "pids-limit"} & arguments.given.keys():
        return spec
    from labbox.cli.humanize import parse_size
    from labbox.cli.values.limits import check_resources, parse_cpus, parse_swap, parse_ulimit

    resources = Resources(
        memory_bytes=_or(arguments.value("memory", parse_size), 0),
        memory_swap_bytes=_or(arguments.value("memory-swap", parse_swap), 0),
        cpus=arguments.value("cpus", parse_cpus) or 0.0,
        pids=max(0, _or(arguments.number("pids-limit"), 0)),
    )
    return spec._replace(
        ulimits=tuple(arguments.values("ulimit", parse_ulimit)),
        shm_bytes=_or(arguments.value("shm-size", parse_size), 0),
        resources=check_resources(resources, os.cpu_count() or 1),
    )


def _add_security(spec: ContainerSpec, arguments: Arguments) -> ContainerSpec:
    if not {"privileged", "cap-add", "cap-drop", "security-opt"} & arguments.given.keys():
        return spec
    from labbox.cli.values.security import parse_security

    security = parse_security(
        arguments.texts("security-opt"),
        privileged=arguments.switch("privileged"),
        cap_add=arguments.texts("cap-add"),
        cap_drop=arguments.texts("cap-drop"),
    )
    return spec._replace(security=security)


def _add_labels(spec: ContainerSpec, arguments: Arguments) -> ContainerSpec:
    if not {"label", "label-file", "annotation"} & arguments.given.keys():
        return spec
    from labbox.cli.values.labels import collect_labels, parse_annotation, parse_label

    return spec._replace(
        labels=collect_labels(arguments.texts("label-file"), arguments.values("label", parse_label)),
        annotations=tuple(arguments.values("annotation", parse_annotation)),
    )


def _add_gpus(spec: ContainerSpec, arguments: Arguments) -> ContainerSpec:
    if not arguments.is_set("gpus"):
        return spec
    from labbox.cli.values.gpus import parse_gpus

    return spec._replace(gpus=arguments.value("gpus", parse_gpus))


def _add_restart(spec: ContainerSpec, arguments: Arguments) -> ContainerSpec:
    text = arguments.text("restart")
    if text is None:
        return spec
    from labbox.cli.values.restart import parse_restart

    restart: RestartPolicy = parse_restart(text)
    if spec.auto_remove and restart.name != "no":
        raise UsageError("conflicting options: cannot specify both --restart and --rm")
    return spec._replace(restart=restart)


def _working_dir(text: str) -> str:
    if text and not text.startswith("/"):
        raise UsageError(f"the working directory '{text}' is invalid, it needs to be an absolute path")
    return text


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
