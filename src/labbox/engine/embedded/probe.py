"""What this machine lets containers do, found by doing it: for `labbox doctor`."""

import os
import pwd
import shutil
import socket
import tempfile
from collections.abc import Callable
from typing import Literal, NamedTuple

import labbox
from labbox.engine.embedded import gpus, network
from labbox.engine.embedded.idmapped import map_ids
from labbox.engine.embedded.modes import explain_refusal, find_identity
from labbox.engine.embedded.overlay import mount_overlay
from labbox.engine.embedded.relay_outbound import original_destination
from labbox.errors import LabboxError, UnsupportedError
from labbox.files import make_private_folder, remove_tree
from labbox.linux import mounts, namespaces
from labbox.linux.idmap import Identity, enter_user_namespace, read_subordinate_ranges, run_forked, run_mapped
from labbox.settings import Settings

_NEEDED_KERNEL = (5, 12)
_SMALL_DISK_BYTES = 5 << 30
_TEST_DESTINATION = ("192.0.2.1", 9)  # an address for documentation (RFC 5737): nothing is there


class Finding(NamedTuple):
    """One ability of this machine: what is used, or what is missing and what to do about it."""

    name: str
    level: Literal["ok", "degraded", "missing"]
    text: str
    fix: str = ""


def probe_machine(settings: Settings, wanted_mode: str | None = None) -> list[Finding]:
    """Every finding, the basic ones first; what depends on a missing one is left out."""
    findings = [_probe_kernel()]
    try:
        identity = find_identity(wanted_mode)
    except UnsupportedError as error:
        return [*findings, Finding("user namespaces", "missing", error.message, error.hint or explain_refusal())]
    findings += [_describe_identity(identity), _probe_subordinate_ids(identity)]
    make_private_folder(settings.data_dir)
    probes: list[tuple[str, Callable[[], Finding]]] = [
        ("overlay", lambda: _probe_overlay(settings, identity)),
        ("network", lambda: _probe_network(identity)),
        ("seccomp", lambda: _probe_seccomp(identity)),
        ("limits", _probe_limits),
        ("gpu", _probe_gpu),
        ("disk", lambda: _probe_disk(settings)),
        ("bytecode", _probe_bytecode),
    ]
    if identity.mode == "root":
        probes.insert(2, ("idmapped mounts", lambda: _probe_idmapped(settings)))
    return findings + [_run(name, probe) for name, probe in probes]


def _run(name: str, probe: Callable[[], Finding]) -> Finding:
    try:
        return probe()
    except LabboxError as error:
        return Finding(name, "missing", error.message, error.hint or "")
    except OSError as error:
        return Finding(name, "missing", error.strerror or str(error))


def _probe_kernel() -> Finding:
    release = os.uname().release
    version = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if version < _NEEDED_KERNEL:
        return Finding("kernel", "missing", f"Linux {release}", "labbox needs Linux 5.12 or later")
    return Finding("kernel", "ok", f"Linux {release} on {os.uname().machine}")


def _describe_identity(identity: Identity) -> Finding:
    user = _user_name()
    texts = {
        "root": "root: containers without a user namespace, as docker runs them",
        "subuid": f"subuid: developer (1000) is you ({user}), other ids are your subordinate ids",
        "single": f"single: one id, container root is you ({user}); other owners are noted, not made",
    }
    if identity.mode == "single":
        first = _first_free_id()
        ids = f"{first}-{first + 65535}"
        fix = f"for sudo and sshd in containers: sudo usermod --add-subuids {ids} --add-subgids {ids} {user}"
        return Finding("identity", "degraded", texts["single"], fix)
    return Finding("identity", "ok", texts[identity.mode])


def _first_free_id() -> int:
    """The first id above every range that anybody has been given (subuid(5)), and never below 100000."""
    ends = [100000]
    for path in ("/etc/subuid", "/etc/subgid"):
        try:
            with open(path, encoding="utf-8") as file:
                fields = [line.strip().split(":") for line in file]
        except FileNotFoundError:
            continue
        ends += [int(entry[1]) + int(entry[2]) for entry in fields if len(entry) == 3 and entry[1].isdigit()]
    return max(ends)


def _probe_subordinate_ids(identity: Identity) -> Finding:
    if identity.mode == "root":
        return Finding("subordinate ids", "ok", "not needed by root")
    uid = os.geteuid()
    total = sum(entry.size for entry in read_subordinate_ranges("/etc/subuid", _user_name(), uid))
    helper = shutil.which("newuidmap")
    if identity.mode == "subuid":
        return Finding("subordinate ids", "ok", f"{total} in /etc/subuid, mapped by {helper}")
    if not helper:
        return Finding("subordinate ids", "missing", "newuidmap is not installed", "sudo apt-get install uidmap")
    return Finding("subordinate ids", "missing", f"{total} in /etc/subuid, 65535 are needed")


def _probe_overlay(settings: Settings, identity: Identity) -> Finding:
    folder = tempfile.mkdtemp(prefix="probe-", dir=settings.data_dir)
    try:
        run_forked(lambda: _enter_mounts(identity), lambda: _use_overlay(folder))
    except OSError as error:
        reason = error.strerror or str(error)
        fix = "keep labbox's data on a local file system (ext4, xfs, btrfs): set LABBOX_HOME to a folder there"
        return Finding("overlay", "missing", f"{settings.data_dir}: {reason}", fix)
    finally:
        run_mapped(identity, lambda: remove_tree(folder))
    return Finding("overlay", "ok", f"write, delete and rename work in {settings.data_dir}")


def _enter_mounts(identity: Identity) -> None:
    enter_user_namespace(identity)
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.set_propagation("/", mounts.MS_REC | mounts.MS_SLAVE)


def _use_overlay(folder: str) -> None:
    lower, merged = os.path.join(folder, "lower"), os.path.join(folder, "merged")
    os.makedirs(os.path.join(lower, "old", "deep"))
    os.mkdir(merged)
    for name in ("changed", "deleted"):
        _write(os.path.join(lower, name), "below")
    mount_overlay([lower], os.path.join(folder, "l", "upper"), os.path.join(folder, "l", "work"), merged)
    _write(os.path.join(merged, "changed"), "above")
    os.unlink(os.path.join(merged, "deleted"))
    os.rename(os.path.join(merged, "changed"), os.path.join(merged, "renamed"))
    os.rmdir(os.path.join(merged, "old", "deep"))
    os.rmdir(os.path.join(merged, "old"))
    os.mkdir(os.path.join(merged, "old"))
    if sorted(os.listdir(merged)) != ["old", "renamed"] or os.listdir(os.path.join(merged, "old")):
        raise OSError(f"an overlay in {folder} does not behave")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _probe_network(identity: Identity) -> Finding:
    run_forked(lambda: _enter_network(identity), _redirect_something)
    ipv6 = "IPv4 and IPv6" if network.host_has_ipv6_route() else "IPv4 (this host has no IPv6 route)"
    return Finding("network", "ok", f"TCP and DNS through labbox's relay, {ipv6}; published ports without root")


def _enter_network(identity: Identity) -> None:
    enter_user_namespace(identity)
    namespaces.unshare(namespaces.CLONE_NEWNET)


def _redirect_something() -> None:
    """Connect to an address in the world and see that the connection arrives at the relay's socket."""
    sockets = network.set_up_network(ipv6=False)
    with socket.socket(fileno=sockets.tcp[0]) as listener, socket.socket() as client:
        listener.setblocking(True)
        listener.settimeout(5)
        client.settimeout(5)
        client.connect(_TEST_DESTINATION)
        connection, _ = listener.accept()
        with connection:
            if original_destination(connection).address[:2] != _TEST_DESTINATION:
                raise UnsupportedError("connections are redirected, but not with their destination")


def _probe_idmapped(settings: Settings) -> Finding:
    folder = tempfile.mkdtemp(prefix="probe-", dir=settings.data_dir)

    def use() -> None:
        tree = mounts.open_tree(folder, recursive=False)
        map_ids(tree, [(0, 1000, 1)], [(0, 1000, 1)], folder)

    try:
        run_forked(lambda: namespaces.unshare(namespaces.CLONE_NEWNS), use)
    except OSError as error:
        text = f"refused in {settings.data_dir}: {error.strerror}"
        fix = "files that developer makes in a project folder will belong to uid 1000; use ext4, xfs or btrfs"
        return Finding("idmapped mounts", "degraded", text, fix)
    finally:
        remove_tree(folder)
    return Finding("idmapped mounts", "ok", "in labs, files of developer in the project folder are yours")


def _probe_seccomp(identity: Identity) -> Finding:
    from labbox.linux.capabilities import DOCKER_DEFAULT  # noqa: PLC0415
    from labbox.linux.seccomp import install_filter  # noqa: PLC0415
    from labbox.linux.seccomp_compile import compile_default_profile  # noqa: PLC0415

    program = compile_default_profile(frozenset(f"CAP_{name}" for name in DOCKER_DEFAULT), os.uname().machine)
    run_forked(lambda: _enter_private(identity), lambda: install_filter(program))
    return Finding("seccomp", "ok", "docker's default filter")


def _enter_private(identity: Identity) -> None:
    if identity.mode != "root":
        enter_user_namespace(identity)


def _probe_limits() -> Finding:
    from labbox.engine.embedded.limits import describe_support  # noqa: PLC0415

    supported, text, fix = describe_support()
    return Finding("limits", "ok" if supported else "degraded", text, fix)


def _probe_gpu() -> Finding:
    found = gpus.list_gpus()
    if not found:
        return Finding("gpu", "ok", "none on this host")
    if not gpus.find_libraries():
        return Finding(
            "gpu", "missing", f"{len(found)} devices, no driver libraries", "install the driver's user-space part"
        )
    return Finding("gpu", "ok", ", ".join(gpu.uuid or gpu.device for gpu in found))


def _probe_disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.data_dir).free
    text = f"{free / (1 << 30):.1f} GB free in {settings.data_dir}"
    if free < _SMALL_DISK_BYTES:
        return Finding("disk", "degraded", text, "free some: labbox image prune, labbox system prune")
    return Finding("disk", "ok", text)


def _probe_bytecode() -> Finding:
    """Some installers leave compiling to the first import; where that may not write, every command compiles anew."""
    package = os.path.dirname(labbox.__file__)
    if os.path.isdir(os.path.join(package, "__pycache__")) or os.access(package, os.W_OK):
        return Finding("bytecode", "ok", "compiled, or will be at the next command")
    return Finding("bytecode", "degraded", f"not compiled: {package}", f"sudo python3 -m compileall -q {package}")


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
