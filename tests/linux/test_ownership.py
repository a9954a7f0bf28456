"""With one user id, owners and device nodes are noted in attributes: a real filter and a real supervisor."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.networks import become, users
from labbox.linux.idmap import enter_user_namespace, run_forked, single_identity
from labbox.linux.ownership import OwnershipSupervisor
from labbox.linux.seccomp import install_listener
from labbox.linux.seccomp_compile import ownership_notify_filter

pytestmark = [pytest.mark.timeout(60), pytest.mark.parametrize("uid", [uid for uid in users() if uid])]


@pytest.fixture
def folder(tmp_path: Path, uid: int) -> str:
    """A folder of the user's."""
    made = tmp_path / "folder"
    made.mkdir()
    for parent in made.parents:
        if parent.stat().st_uid == os.geteuid() and parent.name.startswith(("pytest-", "test_")):
            parent.chmod(0o755)
    os.chown(made, uid, uid)
    return str(made)


def supervised(uid: int, function: Callable[[], Any]) -> Any:
    """Run a function as root of a user namespace with one id, under the ownership filter; its answer comes back."""
    program = ownership_notify_filter(os.uname().machine)
    ours, theirs = socket.socketpair()

    def prepare() -> None:
        ours.close()
        become(uid)
        enter_user_namespace(single_identity())
        listener = install_listener(program)
        socket.send_fds(theirs, [b"!"], [listener])
        os.close(listener)

    supervisor = os.fork()
    if supervisor == 0:
        theirs.close()
        become(uid)
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        served = OwnershipSupervisor(descriptors[0])
        served.serve()
        os._exit(0)
    try:
        return run_forked(prepare, function)
    finally:
        ours.close()
        theirs.close()
        assert os.waitpid(supervisor, 0)[1] == 0


def owner_of(path: str) -> bytes:
    return os.getxattr(path, "user.labbox.owner")


def has_no_owner(path: str) -> bool:
    return "user.labbox.owner" not in os.listxattr(path)


def make_file(path: str, mode: int = 0o644) -> str:
    with open(path, "w", encoding="ascii") as file:
        file.write("content")
    os.chmod(path, mode)
    return path


def test_an_owner_is_noted_however_the_file_is_named(uid: int, folder: str) -> None:
    def work() -> None:
        os.chdir(folder)
        for name in ("absolute", "relative", "descriptor", "at_folder", "above"):
            make_file(name)
        os.mkdir("inner")
        os.chown(f"{folder}/absolute", 1, 2)
        os.chown("relative", 3, 4)
        with open("descriptor", "rb") as file:
            os.fchown(file.fileno(), 5, 6)
        parent = os.open(folder, os.O_RDONLY)
        os.chown("at_folder", 7, 8, dir_fd=parent)
        os.chdir("inner")
        os.chown("../above", 9, 10)
        os.chown(".", 11, 12)

    supervised(uid, work)
    names = ("absolute", "relative", "descriptor", "at_folder", "above", "inner")
    owners = [owner_of(f"{folder}/{name}") for name in names]
    assert owners == [b"1:2", b"3:4", b"5:6", b"7:8", b"9:10", b"11:12"]


def test_minus_one_keeps_the_former_owner(uid: int, folder: str) -> None:
    def work() -> None:
        path = make_file(f"{folder}/file")
        os.chown(path, 5, -1)
        os.chown(path, -1, 6)
        untouched = make_file(f"{folder}/untouched")
        os.chown(untouched, -1, -1)
        os.chown(untouched, 0, 0)

    supervised(uid, work)
    assert owner_of(f"{folder}/file") == b"5:6"
    assert has_no_owner(f"{folder}/untouched")


def test_links_are_followed_when_the_call_follows_them(uid: int, folder: str) -> None:
    def work() -> None:
        make_file(f"{folder}/file")
        os.symlink("file", f"{folder}/link")
        os.symlink(f"{folder}/file", f"{folder}/absolute")
        os.lchown(f"{folder}/link", 1, 1)

    supervised(uid, work)
    assert has_no_owner(f"{folder}/file")
    supervised(uid, lambda: os.chown(f"{folder}/absolute", 2, 2))
    assert owner_of(f"{folder}/file") == b"2:2"


def test_a_file_that_its_owner_may_not_write_gets_its_owner_noted(uid: int, folder: str) -> None:
    supervised(uid, lambda: os.chown(make_file(f"{folder}/file", 0o444), 42, 42))
    assert owner_of(f"{folder}/file") == b"42:42"
    assert stat.S_IMODE(os.stat(f"{folder}/file").st_mode) == 0o444


def test_a_change_of_owner_takes_set_id_bits_away(uid: int, folder: str) -> None:
    def work() -> list[int]:
        paths = [make_file(f"{folder}/{mode:o}", mode) for mode in (0o6755, 0o2644)]
        for path in paths:
            os.chown(path, 0, 42)
        return [stat.S_IMODE(os.stat(path).st_mode) for path in paths]

    assert supervised(uid, work) == [0o755, 0o2644]


def test_a_device_node_becomes_an_empty_file_that_says_what_it_is(uid: int, folder: str) -> None:
    def work() -> None:
        os.umask(0o027)
        os.mknod(f"{folder}/tty", stat.S_IFCHR | 0o666, os.makedev(5, 1))
        os.chdir(folder)
        os.mknod("disk", stat.S_IFBLK | 0o660, os.makedev(259, 300))

    supervised(uid, work)
    assert os.getxattr(f"{folder}/tty", "user.labbox.node") == b"c:5:1"
    assert os.getxattr(f"{folder}/disk", "user.labbox.node") == b"b:259:300"
    assert stat.S_IMODE(os.stat(f"{folder}/tty").st_mode) == 0o640
    assert stat.S_ISREG(os.stat(f"{folder}/disk").st_mode)


def test_whiteouts_and_pipes_are_made_for_real(uid: int, folder: str) -> None:
    def work() -> None:
        os.mknod(f"{folder}/whiteout", stat.S_IFCHR, os.makedev(0, 0))
        os.mkfifo(f"{folder}/pipe")
        os.chown(f"{folder}/pipe", 5, 5)

    supervised(uid, work)
    assert stat.S_ISCHR(os.stat(f"{folder}/whiteout").st_mode)
    assert stat.S_ISFIFO(os.stat(f"{folder}/pipe").st_mode)


def test_errors_are_those_of_the_real_calls(uid: int, folder: str) -> None:
    def kinds() -> list[str]:
        make_file(f"{folder}/file")
        found = []
        calls: list[Callable[[], None]] = [
            lambda: os.chown(f"{folder}/missing", 1, 1),
            lambda: os.chown(f"{folder}/file/below", 1, 1),
            lambda: os.fchown(999, 1, 1),
            lambda: os.mknod(f"{folder}/file", stat.S_IFCHR, os.makedev(1, 3)),
            lambda: os.chown("", 1, 1),
            lambda: os.chown("x" * 5000, 1, 1),
        ]
        for call in calls:
            try:
                call()
            except OSError as error:
                found.append(os.strerror(error.errno or 0))
        return found

    assert supervised(uid, kinds) == [
        "No such file or directory",
        "Not a directory",
        "Bad file descriptor",
        "File exists",
        "No such file or directory",
        "File name too long",
    ]


def test_a_link_of_a_changed_root_leads_nowhere_outside_of_it(uid: int, folder: str) -> None:
    outside = make_file(os.path.join(folder, "outside"))
    os.chown(outside, uid, uid)

    def work() -> list[str]:
        os.mkdir(f"{folder}/root")
        os.symlink("../outside", f"{folder}/root/up")
        os.symlink(outside, f"{folder}/root/absolute")
        make_file(f"{folder}/root/inside")
        os.chroot(f"{folder}/root")
        os.chdir("/")
        found = []
        for path in ("/up", "up", "/absolute", "../outside", "/../outside"):
            try:
                os.chown(path, 66, 66)
            except FileNotFoundError:
                found.append(path)
        os.chown("../inside", 1, 1)
        return found

    assert supervised(uid, work) == ["/up", "up", "/absolute", "../outside", "/../outside"]
    assert has_no_owner(outside)
    assert owner_of(f"{folder}/root/inside") == b"1:1"
