"""A workshop: throw-away containers of a lab's system, in which things are built for the lab.

What is built is handed over in folders: `/run/workshop/in` is read-only and holds what the caller put there,
`/run/workshop/out` takes the results. Programs run as the user 1000, never as root.
"""

import ipaddress
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from labbox.certificates import ca_bundle_variables, host_ca_bundle
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.failures import raise_failure
from labbox.engine.embedded.timestamps import now_text
from labbox.engine.specification import ContainerSpec, Mount
from labbox.errors import EngineError
from labbox.files import make_private_folder, remove_tree
from labbox.linux.idmap import DEVELOPER_ID
from labbox.oci.digest import Digest

INPUT = "/run/workshop/in"
OUTPUT = "/run/workshop/out"
_CERTIFICATES = "/run/workshop/ca.crt"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TAIL_BYTES = 1 << 20
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where things are built: engine, layers of the system (lowest first), the user's environment, the PATH inside."""

    engine: EmbeddedEngine
    system: tuple[Digest, ...]
    environment: Mapping[str, str]
    path: str = _PATH

    @contextmanager
    def bench(self) -> Iterator["Bench"]:
        """A pair of folders for one piece of work, removed at the end."""
        parent = self.engine.settings.tmp_dir
        make_private_folder(parent)
        folder = tempfile.mkdtemp(prefix="workshop-", dir=parent)
        bench = Bench(input=f"{folder}/in", output=f"{folder}/out")
        try:
            os.mkdir(bench.input, 0o755)
            os.mkdir(bench.output, 0o700)
            if self.engine.identity.mode == "root":  # elsewhere the container's user 1000 is who runs labbox
                os.chown(bench.output, DEVELOPER_ID, DEVELOPER_ID)
            yield bench
        finally:
            remove_tree(folder)

    def run(
        self, bench: "Bench", command: Sequence[str], *, environment: Iterable[str] = (), network: str = "none"
    ) -> "Finished":
        """Run a program to its end in a new container; EngineError when the container cannot be started.

        With a network the host's certificates and proxies are known inside. Ctrl-C ends the container too.
        """
        spec = self._spec(bench, command, tuple(environment), network)
        output = os.memfd_create("output", os.MFD_CLOEXEC)
        container = self.engine.create(spec)
        try:
            connection, failure = self.engine.start(container, attach=("stdout", "stderr"))
            with connection:
                outcome = failure or connection.proxy(
                    stdin=None, stdout=output, stderr=output, terminal=False, detach_keys=b"", proxy_signals=False
                )
            if outcome.kind == "failed":
                raise_failure(outcome.code, f"`{command[0]}` cannot be run in the lab's system: {outcome.message}")
            if outcome.kind != "exited":
                raise EngineError(f"the container that ran `{command[0]}` vanished")
            return Finished(outcome.code, _read_tail(output))
        finally:
            os.close(output)
            self.engine.remove(container, force=True)

    def _spec(
        self, bench: "Bench", command: Sequence[str], environment: tuple[str, ...], network: str
    ) -> ContainerSpec:
        container_id = os.urandom(32).hex()
        mounts = [
            Mount(kind="bind", source=bench.input, target=INPUT, read_only=True),
            Mount(kind="bind", source=bench.output, target=OUTPUT),
        ]
        surroundings = [f"PATH={self.path}", "LANG=C.UTF-8", "HOME=/tmp", "USER=developer", "LOGNAME=developer"]
        certificates = host_ca_bundle(self.environment) if network != "none" else None
        if certificates is not None:
            mounts.append(Mount(kind="bind", source=certificates, target=_CERTIFICATES, read_only=True))
            surroundings += ca_bundle_variables(_CERTIFICATES)
        if network != "none":
            surroundings += proxy_variables(self.environment)
        return ContainerSpec(
            id=container_id,
            name=f"workshop-{container_id[:12]}",
            image="labbox/workshop",
            image_id=f"sha256:{container_id}",
            diff_ids=tuple(map(str, self.system)),
            created=now_text(),
            command=tuple(command),
            arguments=tuple(command),
            environment=(*environment, *surroundings),
            working_dir="/tmp",
            user=f"{DEVELOPER_ID}:{DEVELOPER_ID}",
            hostname="localhost",
            mounts=tuple(mounts),
            network=network,
            auto_remove=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Folders of this host that a container sees as `/run/workshop/in` and `/run/workshop/out`."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended, and the end of what it wrote."""

    code: int
    output: str

    def tail(self, lines: int = 25) -> str:
        """The last lines of the output, for a message."""
        return "\n".join(self.output.strip().split("\n")[-lines:])


def network_for(addresses: Iterable[str], environment: Mapping[str, str]) -> str:
    """The network in which a container reaches these addresses, through the user's proxies.

    A container cannot reach this host's own loopback, unless it has the host's network: only where an address or a
    proxy is there, it gets that.
    """
    proxies = [
        value
        for name, _, value in (entry.partition("=") for entry in proxy_variables(environment))
        if name.lower() != "no_proxy"
    ]
    return "host" if any(_is_loopback(address) for address in (*addresses, *proxies)) else "auto"


def proxy_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The user's proxies as `NAME=value`, in both spellings that programs know."""
    found = []
    for name in _PROXY_VARIABLES:
        value = environment.get(name) or environment.get(name.upper())
        if value:
            found += [f"{name}={value}", f"{name.upper()}={value}"]
    return tuple(found)


def _is_loopback(address: str) -> bool:
    host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_tail(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL_BYTES)
    return os.pread(descriptor, size - start, start).decode("utf-8", "replace")
