"""Owners and device nodes for containers that have one user id: noted in extended attributes instead of made.

A seccomp filter (`seccomp_compile.ownership_notify_filter`) hands calls of the chown and mknod families to a supervisor
(seccomp_unotify(2)), which does for the caller what can be done and answers success. Nothing the caller may change
afterwards is looked at twice: the path is read once, resolved once, and the kernel never runs the original call.
"""

import errno
import fcntl
import os
import stat
import struct

from labbox.lightweight_typing import NamedTuple, Self
from labbox.linux.mounts import RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from labbox.linux.seccomp_tables import syscall_numbers

OWNER_ATTRIBUTE = "user.labbox.owner"
NODE_ATTRIBUTE = "user.labbox.node"

# linux/seccomp.h: struct seccomp_notif (80 bytes), struct seccomp_notif_resp (24 bytes), and their ioctls
_NOTIFICATION = struct.Struct("=QII iI Q 6Q")
_RESPONSE = struct.Struct("=QqiI")
_NOTIF_RECV = 0xC0502100
_NOTIF_SEND = 0xC0182101
_NOTIF_ID_VALID = 0x40082102

_ABI_BY_AUDIT_ARCHITECTURE = {0xC000003E: "x86_64", 0x40000003: "i386", 0xC00000B7: "aarch64", 0x40000028: "arm"}
_CALLS_OF_INTEREST = (
    "chown",
    "chown32",
    "lchown",
    "lchown32",
    "fchown",
    "fchown32",
    "fchownat",
    "mknod",
    "mknodat",
)
_CALLS_WITH_16_BIT_IDS = {("i386", "chown"), ("i386", "lchown"), ("i386", "fchown")} | {
    ("arm", "chown"),
    ("arm", "lchown"),
    ("arm", "fchown"),
}

# linux/fcntl.h
_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100
_AT_EMPTY_PATH = 0x1000
_PATH_MAX = 4096
_PAGE = 4096
_OWN_DESCRIPTORS = b"/proc/self/fd/"
_UNCHANGED = 0xFFFFFFFF
_UNCHANGED_16_BIT = 0xFFFF
_MOST_DIGITS = 10  # of a user or group id


class _Request(NamedTuple):
    """What a process asked for: change the owner of, or make, the file `path` as seen from its folder `folder`."""

    path: bytes | None  # None: the file behind the descriptor `folder` itself
    folder: int
    follow: bool
    uid: int = _UNCHANGED
    gid: int = _UNCHANGED
    mode: int = 0
    device: int = 0


class OwnershipSupervisor:
    """Serves the listener of an ownership filter; owns the descriptor.

    For an event loop: call `handle` whenever the descriptor is readable, and close when it says that nobody is left.
    The supervisor runs as the user whom the container's ids map to, outside of the filter, and sees the container's
    processes in its /proc.
    """

    def __init__(self, listener: int) -> None:
        self._listener = listener
        self._names: dict[tuple[int, int], tuple[str, str]] = {}

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._listener

    def close(self) -> None:
        """Close the listener; calls that still wait for an answer get ENOSYS."""
        os.close(self._listener)

    def serve(self) -> None:
        """Serve until the last filtered process has ended: for a process that does nothing else."""
        import select  # noqa: PLC0415  (an event loop brings its own)

        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        while not poll.poll()[0][1] & select.POLLHUP:
            self.handle()

    def handle(self) -> bool:
        """Serve one waiting call; False once no filtered process is left."""
        buffer = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self._listener, _NOTIF_RECV, buffer)
        except OSError as error:
            if error.errno == errno.ENOENT:  # the caller was killed in the meantime, or all have ended
                return not _is_hung_up(self._listener)
            if error.errno == errno.EINTR:
                return True
            raise
        identity, pid, _, number, architecture, _, *arguments = _NOTIFICATION.unpack(buffer)
        failure = 0
        try:
            self._serve_call(identity, pid, self._name_of(architecture, number), arguments)
        except OSError as error:
            failure = error.errno or errno.EIO
        self._answer(identity, failure)
        return True

    def _serve_call(self, identity: int, pid: int, call: tuple[str, str], arguments: list[int]) -> None:
        with _Caller(pid) as caller:
            request = _read_request(caller, call, arguments)
            # The descriptors of /proc that are open now belong to the caller only if its call is still waiting.
            fcntl.ioctl(self._listener, _NOTIF_ID_VALID, struct.pack("=Q", identity))
            if request.mode:
                _make_node(caller, request)
            else:
                _change_owner(caller, request)

    def _name_of(self, architecture: int, number: int) -> tuple[str, str]:
        if not self._names:
            for code, abi in _ABI_BY_AUDIT_ARCHITECTURE.items():
                numbers = syscall_numbers(abi)
                known = [name for name in _CALLS_OF_INTEREST if name in numbers]
                self._names.update({(code, numbers[name]): (abi, name) for name in known})
        return self._names[architecture, number]

    def _answer(self, identity: int, failure: int) -> None:
        try:
            fcntl.ioctl(self._listener, _NOTIF_SEND, bytearray(_RESPONSE.pack(identity, 0, -failure, 0)))
        except OSError as error:
            if error.errno != errno.ENOENT:  # the caller was killed while it waited
                raise


class _Caller:
    """A process whose call waits: its memory, and its view of the file system."""

    def __init__(self, pid: int) -> None:
        self._proc = os.open(f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.root = os.open("root", os.O_PATH | os.O_CLOEXEC, dir_fd=self._proc)
            try:
                self._memory = os.open("mem", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
            except OSError:
                os.close(self.root)
                raise
        except OSError:
            os.close(self._proc)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (self._memory, self.root, self._proc):
            os.close(descriptor)

    def read_string(self, address: int) -> bytes:
        """The string at an address of the caller's memory, as the kernel would read a path."""
        text = b""
        while b"\0" not in text:
            if len(text) >= _PATH_MAX:
                raise OSError(errno.ENAMETOOLONG, "path")
            try:  # a page at a time: the next one may not exist
                piece = os.pread(self._memory, _PAGE - (address + len(text)) % _PAGE, address + len(text))
            except OSError as error:
                raise OSError(errno.EFAULT, "path") from error
            if not piece:
                raise OSError(errno.EFAULT, "path")
            text += piece
        return text[: text.index(b"\0")]

    def umask(self) -> int:
        """The caller's file mode creation mask (proc_pid_status(5))."""
        descriptor = os.open("status", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
        with open(descriptor, encoding="utf-8", errors="replace") as file:
            return next((int(line.split()[1], 8) for line in file if line.startswith("Umask:")), 0o022)

    def open_folder(self, number: int) -> int:
        """A descriptor of the same file as the caller's descriptor `number`, or of its working folder."""
        link = "cwd" if number == _AT_FDCWD else f"fd/{number}"
        try:
            return os.open(link, os.O_PATH | os.O_CLOEXEC, dir_fd=self._proc)
        except FileNotFoundError as error:
            raise OSError(errno.EBADF, link) from error

    def open_path(self, folder: int, path: bytes, flags: int) -> int:
        """Open a path as the caller would, never outside of its root."""
        if path.startswith(b"/"):
            return openat2(self.root, os.fsdecode(path), flags, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        start = self.open_folder(folder)
        try:
            return openat2(start, os.fsdecode(path), flags, resolve=RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # The path leaves its folder, by `..` or by a link: begin at the root, with the folder's own path.
            absolute = os.path.join(self._path_of(start), path)
            return openat2(self.root, os.fsdecode(absolute), flags, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        finally:
            os.close(start)

    def _path_of(self, folder: int) -> bytes:
        """The path of an open folder as the caller would name it; ENOENT when the caller's root does not hold it."""
        path = os.readlink(f"/proc/self/fd/{folder}".encode())
        root = os.readlink(b"root", dir_fd=self._proc).rstrip(b"/")
        if path != root and not path.startswith(root + b"/"):
            raise OSError(errno.ENOENT, os.fsdecode(path))
        return path[len(root) :] or b"/"


def _read_request(caller: _Caller, call: tuple[str, str], arguments: list[int]) -> _Request:
    abi, name = call
    if name.startswith("mknod"):
        return _read_node_request(caller, name, arguments)
    if name == "fchownat":
        folder, address, uid, gid, flags = arguments[:5]
        path = caller.read_string(address) if address or not flags & _AT_EMPTY_PATH else b""
        if not path and not flags & _AT_EMPTY_PATH:
            raise OSError(errno.ENOENT, "")
        follow = not flags & _AT_SYMLINK_NOFOLLOW
        return _Request(path or None, _signed(folder), follow, uid & _UNCHANGED, gid & _UNCHANGED)
    uid, gid = _widened(arguments[1], abi, name), _widened(arguments[2], abi, name)
    if name.startswith("fchown"):
        return _Request(None, _signed(arguments[0]), follow=True, uid=uid, gid=gid)
    return _Request(_read_path(caller, arguments[0]), _AT_FDCWD, not name.startswith("lchown"), uid, gid)


def _read_node_request(caller: _Caller, name: str, arguments: list[int]) -> _Request:
    folder = _AT_FDCWD
    if name == "mknodat":
        folder, *arguments = arguments
    address, mode, device = arguments[:3]
    path = _read_path(caller, address)
    return _Request(path, _signed(folder), follow=False, mode=mode & 0xFFFF, device=device & 0xFFFFFFFF)


def _read_path(caller: _Caller, address: int) -> bytes:
    path = caller.read_string(address)
    if not path:
        raise OSError(errno.ENOENT, "")
    return path


def _signed(word: int) -> int:
    low = word & 0xFFFFFFFF
    return low - (1 << 32) if low & (1 << 31) else low


def _widened(identity: int, abi: str, name: str) -> int:
    if (abi, name) not in _CALLS_WITH_16_BIT_IDS:
        return identity & _UNCHANGED
    short = identity & _UNCHANGED_16_BIT
    return _UNCHANGED if short == _UNCHANGED_16_BIT else short


def _change_owner(caller: _Caller, request: _Request) -> None:
    descriptor = _open_file(caller, request)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):  # other kinds of files cannot carry attributes (xattr(7))
            _note_owner(f"/proc/self/fd/{descriptor}", mode, request.uid, request.gid)
    finally:
        os.close(descriptor)


def _open_file(caller: _Caller, request: _Request) -> int:
    if request.path is None:
        return caller.open_folder(request.folder)
    if request.follow and request.path.startswith(_OWN_DESCRIPTORS):
        number = request.path[len(_OWN_DESCRIPTORS) :]
        if number.isdigit():  # a link that only its process can follow
            return caller.open_folder(int(number))
    flags = os.O_PATH | os.O_CLOEXEC | (0 if request.follow else os.O_NOFOLLOW)
    return caller.open_path(request.folder, request.path, flags)


def _note_owner(path: str, mode: int, uid: int, gid: int) -> None:
    """Write the new owner down; as chown(2) does, take set-id bits away from what could be a program."""
    former_uid, former_gid = read_owner(path)
    owner = (former_uid if uid == _UNCHANGED else uid, former_gid if gid == _UNCHANGED else gid)
    if owner != (former_uid, former_gid):
        write_attribute(path, OWNER_ATTRIBUTE, b"%d:%d" % owner)
    if stat.S_ISREG(mode):
        lost = stat.S_ISUID | (stat.S_ISGID if mode & stat.S_IXGRP else 0)
        if mode & lost:
            os.chmod(path, stat.S_IMODE(mode) & ~lost)


def read_owner(path: str) -> tuple[int, int]:
    """The owner that was noted for a file; 0:0 where none was, or something that no owner is.

    The container's own processes may write the attribute too, and anything into it.
    """
    try:
        uid, _, gid = _read_attribute(path, OWNER_ATTRIBUTE).partition(b":")
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return 0, 0
        raise
    return (int(uid), int(gid)) if _is_id(uid) and _is_id(gid) else (0, 0)


def _is_id(text: bytes) -> bool:
    return text.isdigit() and len(text) <= _MOST_DIGITS and int(text) < _UNCHANGED


def _read_attribute(path: str, name: str) -> bytes:
    """Get a `user.` attribute also where the file's mode forbids its owner to read (dpkg makes files with mode 000)."""
    try:
        return os.getxattr(path, name)
    except PermissionError:
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if mode & stat.S_IRUSR:
            raise
        os.chmod(path, mode | stat.S_IRUSR)
        try:
            return os.getxattr(path, name)
        finally:
            os.chmod(path, mode)


def write_attribute(path: str, name: str, value: bytes) -> None:
    """Set a `user.` attribute also where the file's mode forbids its owner to write."""
    try:
        os.setxattr(path, name, value)
    except PermissionError:
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if mode & stat.S_IWUSR:
            raise
        os.chmod(path, mode | stat.S_IWUSR)
        try:
            os.setxattr(path, name, value)
        finally:
            os.chmod(path, mode)


def _make_node(caller: _Caller, request: _Request) -> None:
    """An empty file in the place of a device node, with the node's kind and number as attribute."""
    assert request.path is not None
    parent_path, name = os.path.split(request.path.rstrip(b"/"))
    if name in (b"", b".", b".."):
        raise OSError(errno.EEXIST, os.fsdecode(request.path))
    parent = caller.open_path(request.folder, parent_path or b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=parent)
    finally:
        os.close(parent)
    try:
        kind = "c" if stat.S_ISCHR(request.mode) else "b"
        number = f"{kind}:{os.major(request.device)}:{os.minor(request.device)}"
        os.setxattr(descriptor, NODE_ATTRIBUTE, number.encode())
        os.fchmod(descriptor, stat.S_IMODE(request.mode) & ~caller.umask())
    finally:
        os.close(descriptor)


def _is_hung_up(descriptor: int) -> bool:
    import select  # noqa: PLC0415  (asked once, at the end)

    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))
