"""Who is who across a user namespace: the mode labbox runs in, its id maps, and work done inside a mapping.

`root`     the real root: no user namespace, ids stand as they are.
`subuid`   container id 1000 is you; every other container id is one of your subordinate ids (subuid(5)).
`single`   one id only: container root (or another single id) is you.

Source: user_namespaces(7), newuidmap(1).
"""

import os

from labbox.errors import UnsupportedError
from labbox.lightweight_typing import Callable, Literal, NamedTuple, TypeVar
from labbox.linux import namespaces
from labbox.linux.process import PR_SET_DUMPABLE, fork, prctl

Mode = Literal["root", "subuid", "single"]
DEVELOPER_ID = 1000
_NEEDED_SUBORDINATE_IDS = 65535
_Result = TypeVar("_Result")


class IdRange(NamedTuple):
    """`size` ids from `inside` on are the host's ids from `outside` on."""

    inside: int
    outside: int
    size: int


class Identity(NamedTuple):
    """The mode and, with a user namespace, its maps."""

    mode: Mode
    uids: tuple[IdRange, ...] = ()
    gids: tuple[IdRange, ...] = ()


class SubordinateRange(NamedTuple):
    """One line of /etc/subuid or /etc/subgid."""

    first: int
    size: int


def root_identity() -> Identity:
    """No user namespace."""
    return Identity(mode="root")


def single_identity(inside: int = 0) -> Identity:
    """One id: `inside` is you."""
    return Identity(
        mode="single",
        uids=(IdRange(inside, os.geteuid(), 1),),
        gids=(IdRange(inside, os.getegid(), 1),),
    )


def subuid_identity(uids: list[SubordinateRange], gids: list[SubordinateRange]) -> Identity:
    """Container id 1000 is you, the ids around it are your subordinate ids in order.

    Raises UnsupportedError when fewer than 65535 subordinate ids are there: images use ids up to 65534.
    """
    for kind, ranges in (("user", uids), ("group", gids)):
        total = sum(entry.size for entry in ranges)
        if total < _NEEDED_SUBORDINATE_IDS:
            raise UnsupportedError(f"{total} subordinate {kind} ids are too few, {_NEEDED_SUBORDINATE_IDS} are needed")
    return Identity(
        mode="subuid",
        uids=_map_around_developer(uids, os.geteuid()),
        gids=_map_around_developer(gids, os.getegid()),
    )


def read_subordinate_ranges(path: str, user: str, uid: int) -> list[SubordinateRange]:
    """The ranges that a file like /etc/subuid gives to a user, by name or by number (subuid(5))."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return []
    fields = [line.strip().split(":") for line in lines]
    return [
        SubordinateRange(int(entry[1]), int(entry[2]))
        for entry in fields
        if len(entry) == 3 and entry[0] in {user, str(uid)} and entry[1].isdigit() and entry[2].isdigit()
    ]


def enter_user_namespace(identity: Identity) -> None:
    """Move this process into a new user namespace with the identity's maps and become its root (or its only id).

    In mode `root` nothing happens. Needs a process of one thread. Raises OSError naming the refused step.
    """
    if identity.mode == "root":
        return
    prctl(PR_SET_DUMPABLE, 1)  # else /proc/PID/uid_map belongs to root
    if identity.mode == "single":
        namespaces.unshare(namespaces.CLONE_NEWUSER)
        _write_own_maps(identity)
    else:
        _unshare_while_child_maps(identity)
    os.setresgid(identity.gids[0].inside, identity.gids[0].inside, identity.gids[0].inside)
    os.setresuid(identity.uids[0].inside, identity.uids[0].inside, identity.uids[0].inside)


def run_mapped(identity: Identity, function: Callable[[], _Result]) -> _Result:
    """Run a function as the identity's root in a child process; its result or exception comes back (pickled)."""
    if identity.mode == "root":
        return function()
    return run_forked(lambda: enter_user_namespace(identity), function)


def run_forked(prepare: Callable[[], None], function: Callable[[], _Result]) -> _Result:
    """Run a function in a forked child after `prepare`; its result or exception comes back (pickled)."""
    import pickle  # noqa: PLC0415  (4 ms that starting a container does not need)

    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = fork()
    if child == 0:
        os.close(reader)
        os._exit(_run_child(prepare, function, writer))
    os.close(writer)
    with open(reader, "rb") as file:
        answer = file.read()
    _, status = os.waitpid(child, 0)
    if not answer:
        raise UnsupportedError(f"a helper process ended without an answer (status {status})")
    succeeded, value = pickle.loads(answer)  # noqa: S301  (written by our own child)
    if not succeeded:
        raise value
    result: _Result = value
    return result


def map_to_host(ranges: tuple[IdRange, ...], inside: int) -> int | None:
    """The host's id of a container's id, or None when it is not mapped; without ranges the id itself."""
    if not ranges:
        return inside
    for entry in ranges:
        if entry.inside <= inside < entry.inside + entry.size:
            return entry.outside + inside - entry.inside
    return None


def _run_child(prepare: Callable[[], None], function: Callable[[], object], writer: int) -> int:
    try:
        prepare()
        answer = (True, function())
    except Exception as error:  # noqa: BLE001  (travels to the parent, which raises it)
        answer = (False, error)
    import pickle  # noqa: PLC0415  (loaded by the parent already)

    with open(writer, "wb") as file:
        pickle.dump(answer, file)
    return 0


def _map_around_developer(ranges: list[SubordinateRange], you: int) -> tuple[IdRange, ...]:
    """0..999 and 1001..65535 from the ranges in order, 1000 from `you`."""
    mapped = [IdRange(DEVELOPER_ID, you, 1)]
    inside = 0
    for entry in ranges:
        first, left = entry.first, entry.size
        while left and inside <= _NEEDED_SUBORDINATE_IDS:
            if inside == DEVELOPER_ID:
                inside += 1
            limit = DEVELOPER_ID if inside < DEVELOPER_ID else _NEEDED_SUBORDINATE_IDS + 1
            count = min(left, limit - inside)
            mapped.append(IdRange(inside, first, count))
            inside, first, left = inside + count, first + count, left - count
    return tuple(sorted(mapped))


def _write_own_maps(identity: Identity) -> None:
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/gid_map", _lines(identity.gids))
    _write("/proc/self/uid_map", _lines(identity.uids))


def _write(path: str, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OSError(error.errno, f"write {path}: {error.strerror}") from error


def _lines(ranges: tuple[IdRange, ...]) -> str:
    return "".join(f"{entry.inside} {entry.outside} {entry.size}\n" for entry in ranges)


def _unshare_while_child_maps(identity: Identity) -> None:
    """Only a process outside may write a map of several ranges, through the set-uid helpers."""
    ready_reader, ready_writer = os.pipe2(os.O_CLOEXEC)
    target = os.getpid()
    child = fork()
    if child == 0:
        os.close(ready_writer)
        os.read(ready_reader, 1)
        os._exit(_run_map_helpers(target, identity))
    os.close(ready_reader)
    try:
        namespaces.unshare(namespaces.CLONE_NEWUSER)
    finally:
        os.close(ready_writer)
        _, status = os.waitpid(child, 0)
    if status != 0:
        raise UnsupportedError(
            "newuidmap or newgidmap refused the map of your subordinate ids",
            hint="check /etc/subuid and /etc/subgid, and that the helpers of the package `uidmap` are set-uid root",
        )


def _run_map_helpers(target: int, identity: Identity) -> int:
    """Run both helpers at once; 0 when both succeed."""
    quiet = [(os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)]
    helpers = []
    for name, ranges in (("newuidmap", identity.uids), ("newgidmap", identity.gids)):
        numbers = [str(number) for entry in ranges for number in entry]
        try:
            helpers.append(os.posix_spawnp(name, [name, str(target), *numbers], os.environ, file_actions=quiet))
        except OSError:  # none is installed, or it cannot be executed
            return 1
    return max(os.waitpid(helper, 0)[1] for helper in helpers)
