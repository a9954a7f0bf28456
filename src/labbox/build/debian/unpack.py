"""One package's files into the system around this process, as dpkg lays them.

The caller has made the new system its root, so that no path or link of a package can lead elsewhere. What must not
depend on the order in which packages are unpacked (the attributes of shared folders) is noted, not done.
"""

import hashlib
import os
import stat
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, TypeVar

from labbox.errors import PackageError, UnsupportedError
from labbox.packages.debian.deb_file import DebFile
from labbox.store.ownership import OWNER_XATTR, Ownership, encode_owner

_READ_BYTES = 1 << 20
_Made = TypeVar("_Made")
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """Permission bits and owner."""

    mode: int
    uid: int
    gid: int


@dataclass(slots=True, kw_only=True)
class UnpackedPackage:
    """What a package brought: its paths in the archive's order, attributes of its folders, md5 of its conffiles.

    `made` are the folders that were not there before, `replaced` the files that were.
    """

    paths: list[str] = field(default_factory=list)
    folders: dict[str, Attributes] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    conffiles: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacker:
    """How files are laid: owners kept or recorded, no time later than `newest`, diverted paths renamed."""

    ownership: Ownership
    newest: int
    diversions: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # path → (other path, package exempt)

    def unpack(
        self, deb: DebFile, package: str, conffiles: frozenset[str], *, only: frozenset[str] | None = None
    ) -> UnpackedPackage:
        """Lay all files of a package, or those of the paths in `only`."""
        result = UnpackedPackage()
        with deb.open_data() as tar:
            for member in tar:
                tar.members = []  # type: ignore[attr-defined]  # else it keeps every header it has seen
                path = _absolute(member.name, deb.where)
                result.paths.append(path)
                if member.isdir():
                    result.folders[path] = Attributes(mode=member.mode & 0o7777, uid=member.uid, gid=member.gid)
                    if _make_folder(path):
                        result.made.append(path)
                    continue
                result.files.append(path)
                if only is None or path in only:
                    place = self._place(path, package)
                    if member.islnk():
                        target = self._place(_absolute(member.linkname, deb.where), package)
                        _put(place, lambda: os.link(target, place, follow_symlinks=False), path, result)  # noqa: B023
                    else:
                        self._lay(tar, member, place, path, result, needs_md5=path in conffiles)
        return result

    def set_owner(self, path: str, uid: int, gid: int) -> None:
        """Give a file or folder its owner, on disk or on record."""
        if self.ownership == "kept":
            os.lchown(path, uid, gid)
        elif (uid, gid) != (0, 0):
            os.setxattr(path, OWNER_XATTR, encode_owner(uid, gid), follow_symlinks=False)

    def _lay(
        self,
        tar: tarfile.TarFile,
        member: tarfile.TarInfo,
        place: str,
        path: str,
        result: UnpackedPackage,
        *,
        needs_md5: bool,
    ) -> None:
        """Put one file or symbolic link in its place."""
        if member.issym():
            _put(place, lambda: os.symlink(member.linkname, place), path, result)
            self._finish_link(place, member)
            return
        content = tar.extractfile(member) if member.isreg() else None
        if content is None:
            raise UnsupportedError(f"package file `{path}` is neither file, folder nor link")
        mode = member.mode & 0o7777
        descriptor = _put(place, lambda: os.open(place, _NEW_FILE, mode), path, result)
        try:
            md5 = _copy(content, descriptor, member.size, needs_md5=needs_md5)
            self._finish_file(descriptor, member)
        finally:
            os.close(descriptor)
        if md5:
            result.conffiles[path] = md5

    def _finish_file(self, descriptor: int, member: tarfile.TarInfo) -> None:
        status = os.fstat(descriptor)
        if self.ownership == "recorded":
            if member.uid or member.gid:
                os.setxattr(descriptor, OWNER_XATTR, encode_owner(member.uid, member.gid))
        elif (status.st_uid, status.st_gid) != (member.uid, member.gid):
            os.fchown(descriptor, member.uid, member.gid)
            status = os.fstat(descriptor)  # a change of owner takes set-id bits away
        if stat.S_IMODE(status.st_mode) != member.mode & 0o7777:
            os.fchmod(descriptor, member.mode & 0o7777)
        moment = min(int(member.mtime), self.newest)
        os.utime(descriptor, (moment, moment))

    def _finish_link(self, place: str, member: tarfile.TarInfo) -> None:
        if self.ownership == "kept":
            os.lchown(place, 0, 0)  # a link's owner means nothing, and with one id it cannot be noted
        moment = min(int(member.mtime), self.newest)
        os.utime(place, (moment, moment), follow_symlinks=False)

    def _place(self, path: str, package: str) -> str:
        diverted = self.diversions.get(path)
        return diverted[0] if diverted is not None and diverted[1] != package else path


def _absolute(name: str, where: str) -> str:
    """A member's name as dpkg lists it: absolute, without a slash at its end; `/.` is the root."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\n" in name:
        raise PackageError(f"package file `{where}` holds the bad path `{name}`")
    return "/" + ("/".join(parts) or ".")


def _make_folder(path: str) -> bool:
    """Make a folder and say so; one that is there, or a link to one, stays as it is, as dpkg leaves it."""
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return False
    except FileNotFoundError:
        os.makedirs(path, 0o755, exist_ok=True)
    return True


def _put(place: str, make: Callable[[], _Made], path: str, result: UnpackedPackage) -> _Made:
    """Make a file at a place, with its missing parents, instead of one that is there, which is noted."""
    try:
        return make()
    except FileExistsError:
        result.replaced.append(path)
        os.unlink(place)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
    return make()


def _copy(content: IO[bytes], descriptor: int, size: int, *, needs_md5: bool) -> str:
    """Copy a file's content; its md5 when wanted, else empty."""
    md5 = hashlib.md5(usedforsecurity=False) if needs_md5 else None
    while size > 0:
        chunk = content.read(min(size, _READ_BYTES))
        if not chunk:
            raise EOFError("the package's data ends early")
        size -= len(chunk)
        if md5 is not None:
            md5.update(chunk)
        written = os.write(descriptor, chunk)
        while written < len(chunk):  # a full disk shows as a short write first
            written += os.write(descriptor, chunk[written:])
    return md5.hexdigest() if md5 is not None else ""
