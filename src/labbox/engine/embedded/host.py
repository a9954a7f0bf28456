"""What a container gets from this host before it starts: layers, files for /etc, volumes, ports, limits, filters."""

import os
import resource
import stat

from labbox.engine.embedded.plan import HostFacts, capability_mask, hostname_of
from labbox.engine.embedded.records import Container
from labbox.engine.embedded.volumes import volume_at
from labbox.engine.specification import ContainerSpec
from labbox.errors import EngineError
from labbox.files import make_private_folder, read_json, write_atomic, write_json
from labbox.lightweight_modules import ExitStack, contextmanager, socket
from labbox.lightweight_typing import Any, Iterator
from labbox.linux import capabilities
from labbox.linux.idmap import Identity, run_mapped
from labbox.oci.digest import parse_digest
from labbox.settings import Settings
from labbox.store.layers import LayerStore

_APT_SETTINGS = 'APT::Sandbox::User "root";\n'


class Host:
    """This host, as far as containers of one identity use it."""

    def __init__(self, settings: Settings, identity: Identity) -> None:
        self._settings = settings
        self._identity = identity
        self._layers = LayerStore(settings.store_dir, identity)

    def holding_images(self) -> Any:
        """While the body runs no garbage is collected."""
        return self._layers.creating()

    def layer_folders(self, spec: ContainerSpec) -> tuple[str, ...]:
        """The folders of the image's layers, lowest first; NotFoundError when one is not unpacked."""
        return tuple(self._layers.directory(parse_digest(diff_id)) for diff_id in spec.diff_ids)

    @contextmanager
    def equipped(self, container: Container) -> Iterator[tuple[HostFacts, Any, Any]]:
        """Facts for the plan, the publisher of ports and the limits (each None when not asked for).

        When the body fails, what was opened is closed again; else it is the monitor's.
        """
        spec = container.spec
        with ExitStack() as on_failure:
            publisher = self._open_ports(spec)
            if publisher is not None:
                on_failure.callback(publisher.close)
            limits = self._make_limits(spec)
            if limits is not None:
                on_failure.callback(limits.close)
            facts = self._facts(container, limits)
            self._write_etc_files(container, facts)
            self._make_volumes(spec)
            self._check_sources(spec)
            yield facts, publisher, limits
            on_failure.pop_all()
        if publisher is not None:
            publisher.forget()

    def exec_facts(self, spec: ContainerSpec) -> HostFacts:
        """Facts for one more command in a running container."""
        return HostFacts(
            identity=self._identity,
            layers=(),
            volumes_dir=self._settings.volumes_dir,
            filters=self._filters(spec),
            ownership_filter=self._ownership_filter(),
            hostname=socket.gethostname(),
            last_capability=capabilities.last_capability(),
            descriptor_limit=resource.getrlimit(resource.RLIMIT_NOFILE),
        )

    def cgroup_files_of(self, container: Container) -> list[str]:
        """Where a process writes its number to share the limits of a running container."""
        if not has_limits(container.spec):
            return []
        from labbox.engine.embedded.limits import join_files_of  # noqa: PLC0415

        return join_files_of(container.spec.id, container.state.pid)

    def _facts(self, container: Container, limits: Any) -> HostFacts:
        spec = container.spec
        facts = self.exec_facts(spec)._replace(
            layers=self.layer_folders(spec),
            cgroup_files=tuple(limits.join_files) if limits else (),
            devices=tuple(mount.source for mount in spec.mounts if mount.kind == "bind" and _is_device(mount.source)),
            owners=tuple(
                _owner(mount.source) for mount in spec.mounts if mount.idmapped and os.path.exists(mount.source)
            ),
        )
        if spec.network == "auto":
            from labbox.engine.embedded.network import host_has_ipv6_route  # noqa: PLC0415

            facts = facts._replace(has_ipv6=host_has_ipv6_route())
        if spec.gpus is not None:
            from labbox.engine.embedded.gpus import plan_gpus  # noqa: PLC0415

            operations, environment = plan_gpus(spec.gpus)
            facts = facts._replace(extra_operations=tuple(operations), extra_environment=tuple(environment))
        return facts

    def _filters(self, spec: ContainerSpec) -> tuple[bytes, ...]:
        """The seccomp program, compiled once per set of capabilities and kept."""
        security = spec.security
        if security.privileged or security.seccomp == "unconfined":
            return ()
        mask = capability_mask(spec)
        held = frozenset(f"CAP_{name}" for number, name in enumerate(capabilities.NAMES) if mask >> number & 1)
        machine = os.uname().machine
        if security.seccomp != "default":
            from json import loads  # noqa: PLC0415

            from labbox.linux.seccomp_compile import compile_custom_profile  # noqa: PLC0415

            return (compile_custom_profile(loads(security.seccomp), held, machine),)
        return (self._default_filter(held, mask, machine),)

    def _ownership_filter(self) -> bytes:
        """With one id only, calls that change owners go to the monitor, which notes what it cannot do."""
        if self._identity.mode != "single":
            return b""
        from labbox.linux.seccomp_compile import ownership_notify_filter  # noqa: PLC0415

        return ownership_notify_filter(os.uname().machine)

    def _default_filter(self, held: frozenset[str], mask: int, machine: str) -> bytes:
        from labbox import __version__  # noqa: PLC0415

        path = os.path.join(self._settings.cache_dir, "seccomp", f"{__version__}-{machine}-{mask:x}.bpf")
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            pass
        from labbox.linux.seccomp_compile import compile_default_profile  # noqa: PLC0415

        program = compile_default_profile(held, machine)
        make_private_folder(os.path.dirname(path))
        write_atomic(path, program, durable=False)
        return program

    def _write_etc_files(self, container: Container, facts: HostFacts) -> None:
        spec, folder = container.spec, container.folder
        make_private_folder(folder.etc)
        hostname = hostname_of(spec, facts)
        texts = {"hostname": hostname + "\n", "hosts": _hosts(spec, hostname), "resolv.conf": _resolv_conf(spec)}
        if self._identity.mode == "single":
            texts["apt.conf"] = _APT_SETTINGS
        for name, text in texts.items():
            write_atomic(os.path.join(folder.etc, name), text.encode(), durable=False, mode=0o644)

    def _make_volumes(self, spec: ContainerSpec) -> None:
        for mount in spec.mounts:
            if mount.kind == "volume":
                self.make_volume(mount.source)

    def make_volume(self, name: str, labels: dict[str, str] | None = None) -> None:
        """Make a named volume when there is none: its `_data` belongs to the container's root."""
        volume = volume_at(self._settings.volumes_dir, name)
        if os.path.isdir(volume.data):
            return
        make_private_folder(volume.folder)
        from labbox.engine.embedded.timestamps import now_text  # noqa: PLC0415

        write_json(
            os.path.join(volume.folder, "volume.json"), {"version": 1, "created": now_text(), "labels": labels or {}}
        )

        def make() -> None:
            os.makedirs(volume.data, exist_ok=True)
            os.chmod(volume.data, 0o755)  # whatever the umask says

        run_mapped(self._identity, make)

    def _check_sources(self, spec: ContainerSpec) -> None:
        for mount in spec.mounts:
            if mount.kind == "bind" and not os.path.exists(mount.source):
                raise EngineError(
                    f"bind source path does not exist: `{mount.source}`",
                    hint=f"make it first: mkdir -p {mount.source}",
                )

    def _open_ports(self, spec: ContainerSpec) -> Any:
        if not spec.ports or spec.network != "auto":
            return None
        from labbox.engine.embedded.publisher import PortPublisher  # noqa: PLC0415

        return PortPublisher(spec.ports)

    def _make_limits(self, spec: ContainerSpec) -> Any:
        if not has_limits(spec):
            return None
        from labbox.engine.embedded.limits import make_limits  # noqa: PLC0415

        return make_limits(spec.id, spec.resources)


def _is_device(path: str) -> bool:
    mode = os.stat(path).st_mode if os.path.exists(path) else 0
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def _owner(path: str) -> tuple[str, int, int]:
    status = os.stat(path)
    return path, status.st_uid, status.st_gid


def has_limits(spec: ContainerSpec) -> bool:
    """True when the container was given limits that cgroups enforce."""
    resources = spec.resources
    return bool(resources.memory_bytes or resources.cpus or resources.pids)


def _hosts(spec: ContainerSpec, hostname: str) -> str:
    from labbox.engine.embedded.network import HOST_ADDRESS, hosts_text  # noqa: PLC0415

    if spec.network == "host":
        text = _read_text("/etc/hosts")
    else:
        text = hosts_text(f"{hostname}.{spec.domainname} {hostname}" if spec.domainname else hostname)
    for entry in spec.extra_hosts:
        name, _, address = entry.partition(":")
        text += f"{HOST_ADDRESS if address == 'host-gateway' else address}\t{name}\n"
    return text


def _resolv_conf(spec: ContainerSpec) -> str:
    host_text = _read_text("/etc/resolv.conf")
    if spec.network == "host" and not (spec.dns or spec.dns_search or spec.dns_options):
        return host_text
    from labbox.engine.embedded.dns import container_resolv_conf  # noqa: PLC0415

    return container_resolv_conf(host_text, servers=spec.dns, search=spec.dns_search, options=spec.dns_options)


def _read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def read_volume_record(volumes_dir: str, name: str) -> dict[str, Any]:
    """What `volume inspect` knows besides the folder: creation time and labels."""
    document: dict[str, Any] = read_json(os.path.join(volumes_dir, name, "volume.json"))
    return document
