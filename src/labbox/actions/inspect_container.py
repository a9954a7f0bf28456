"""`labbox inspect` of a container: docker's document (docs.docker.com/reference/api/engine, ContainerInspect)."""

import os
from typing import Any

from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.engine.embedded.removal import is_anonymous
from labbox.engine.embedded.timestamps import ZERO
from labbox.engine.specification import ContainerSpec, Mount, PortBinding

_DOCKER_NETWORKS = {"auto": "bridge"}
_Document = dict[str, Any]


def inspect_container(engine: EmbeddedEngine, container: Container) -> _Document:
    """The container as docker describes it, as far as it has what docker has."""
    spec, state, folder = container.spec, container.state, container.folder
    return {
        "Id": spec.id,
        "Created": spec.created,
        "Path": spec.command[0] if spec.command else "",
        "Args": list(spec.command[1:]),
        "State": _state(container),
        "Image": spec.image_id,
        "ResolvConfPath": os.path.join(folder.etc, "resolv.conf"),
        "HostnamePath": os.path.join(folder.etc, "hostname"),
        "HostsPath": os.path.join(folder.etc, "hosts"),
        "LogPath": folder.log,
        "Name": f"/{spec.name}",
        "RestartCount": state.restart_count,
        "Driver": "overlay",
        "Platform": "linux",
        "IdentityMode": state.mode,
        "ExecIDs": None,
        "HostConfig": _host_config(spec),
        "GraphDriver": {"Name": "overlay", "Data": _graph(engine, container)},
        "Mounts": [_mount(engine, mount) for mount in spec.mounts],
        "Config": _config(spec),
        "NetworkSettings": _network_settings(container),
    }


def _state(container: Container) -> _Document:
    state = container.state
    running = state.status == "running"
    return {
        "Status": state.status,
        "Running": container.is_running,
        "Paused": False,
        "Restarting": state.status == "restarting",
        "OOMKilled": state.oom_killed,
        "Dead": False,
        "Pid": state.pid if running else 0,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": state.started_at or ZERO,
        "FinishedAt": state.finished_at or ZERO,
    }


def _config(spec: ContainerSpec) -> _Document:
    return {
        "Hostname": spec.hostname or spec.id[:12],
        "Domainname": spec.domainname,
        "User": spec.user,
        "AttachStdin": spec.open_stdin and "stdin" in spec.attach,
        "AttachStdout": "stdout" in spec.attach,
        "AttachStderr": "stderr" in spec.attach,
        "ExposedPorts": {port: {} for port in spec.exposed_ports},
        "Tty": spec.terminal,
        "OpenStdin": spec.open_stdin,
        "StdinOnce": spec.open_stdin,
        "Env": list(spec.environment),
        "Cmd": list(spec.arguments) or None,
        "Image": spec.image,
        "Volumes": {mount.target: {} for mount in spec.mounts if _is_anonymous(mount)} or None,
        "WorkingDir": spec.working_dir,
        "Entrypoint": list(spec.entrypoint) or None,
        "OnBuild": None,
        "Labels": dict(spec.labels),
        "StopSignal": spec.stop_signal,
        "StopTimeout": spec.stop_timeout_seconds,
    }


def _host_config(spec: ContainerSpec) -> _Document:
    resources, security = spec.resources, spec.security
    return {
        "Binds": [_bind(mount) for mount in spec.mounts if mount.kind != "tmpfs" and not _is_anonymous(mount)] or None,
        "NetworkMode": _DOCKER_NETWORKS.get(spec.network, spec.network),
        "PortBindings": _bindings(spec.ports),
        "RestartPolicy": {"Name": spec.restart.name, "MaximumRetryCount": spec.restart.maximum},
        "AutoRemove": spec.auto_remove,
        "Annotations": dict(spec.annotations),
        "CapAdd": [f"CAP_{name}" for name in security.cap_add] or None,
        "CapDrop": [f"CAP_{name}" for name in security.cap_drop] or None,
        "Dns": list(spec.dns),
        "DnsOptions": list(spec.dns_options),
        "DnsSearch": list(spec.dns_search),
        "ExtraHosts": list(spec.extra_hosts) or None,
        "GroupAdd": list(spec.group_add) or None,
        "Privileged": security.privileged,
        "ReadonlyRootfs": spec.read_only,
        "SecurityOpt": _security_options(spec) or None,
        "Tmpfs": {mount.target: ",".join(mount.options) for mount in spec.mounts if mount.kind == "tmpfs"} or None,
        "ShmSize": spec.shm_bytes,
        "Memory": resources.memory_bytes,
        "MemorySwap": resources.memory_swap_bytes,
        "NanoCpus": round(resources.cpus * 1_000_000_000),
        "PidsLimit": resources.pids or None,
        "Ulimits": [{"Name": limit.name, "Hard": limit.hard, "Soft": limit.soft} for limit in spec.ulimits],
        "DeviceRequests": _device_requests(spec),
        "Init": spec.init,
    }


def _security_options(spec: ContainerSpec) -> list[str]:
    security, options = spec.security, list[str]()
    if security.no_new_privileges:
        options.append("no-new-privileges")
    if security.seccomp != "default" and not security.privileged:
        options.append(f"seccomp={security.seccomp}")
    if security.unmask_system_paths:
        options.append("systempaths=unconfined")
    return options


def _device_requests(spec: ContainerSpec) -> list[_Document] | None:
    if spec.gpus is None:
        return None
    device_ids = list(spec.gpus.device_ids) or None
    return [{"Driver": "", "Count": spec.gpus.number, "DeviceIDs": device_ids, "Capabilities": [["gpu"]]}]


def _graph(engine: EmbeddedEngine, container: Container) -> _Document:
    layers = os.path.join(engine.settings.store_dir, "layers", container.state.mode)
    lower = [os.path.join(layers, diff_id.partition(":")[2]) for diff_id in reversed(container.spec.diff_ids)]
    return {
        "LowerDir": ":".join(lower),
        "MergedDir": container.folder.merged,
        "UpperDir": container.folder.upper,
        "WorkDir": container.folder.work,
    }


def _mount(engine: EmbeddedEngine, mount: Mount) -> _Document:
    source = mount.source
    document: _Document = {"Type": mount.kind}
    if mount.kind == "volume":
        document["Name"] = mount.source
        document["Driver"] = "local"
        source = os.path.join(engine.settings.volumes_dir, mount.source, "_data")
    return {
        **document,
        "Source": source,
        "Destination": mount.target,
        "Mode": "ro" if mount.read_only else "",
        "RW": not mount.read_only,
        "Propagation": "rprivate" if mount.kind == "bind" else "",
    }


def _is_anonymous(mount: Mount) -> bool:
    return mount.kind == "volume" and is_anonymous(mount.source)


def _bind(mount: Mount) -> str:
    return f"{mount.source}:{mount.target}{':ro' if mount.read_only else ''}"


def _network_settings(container: Container) -> _Document:
    running = container.is_running
    name = _DOCKER_NETWORKS.get(container.spec.network, container.spec.network)
    ports: _Document = dict.fromkeys(container.spec.exposed_ports) if running and name == "bridge" else {}
    return {
        "SandboxKey": f"/proc/{container.state.pid}/ns/net" if running and container.state.pid else "",
        "Ports": ports | _bindings(container.state.ports if running else ()),
        "Networks": {name: {"IPAddress": "", "Gateway": "", "MacAddress": ""}},
    }


def _bindings(ports: tuple[PortBinding, ...]) -> _Document:
    document: _Document = {}
    for port in ports:
        entry = {"HostIp": port.host_address, "HostPort": str(port.host_port or "")}
        document.setdefault(f"{port.container_port}/{port.protocol}", []).append(entry)
    return document
