"""One package's files into the system around this process, as dpkg lays them.

The caller has made the new system its root, so that no path or link of a package can lead elsewhere. What must not
depend on the order in which packages are unpacked (the attributes of shared folders) is noted, not done.
"""

import hashlib
import os
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
    """What a package brought: its paths in the archive's order, attributes of its folders, md5 of its conffiles."""

    paths: list[str] = field(default_factory=list)
    folders: dict[str, Attributes] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
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
                tar.members = []  # tarfile keeps every header it has seen
                path = _absolute(member.name, deb.where)
                result.paths.append(path)
                if member.isdir():
                    result.folders[path] = Attributes(mode=member.mode & 0o7777, uid=member.uid, gid=member.gid)
                    _make_folder(path)
                    continue
                result.files.append(path)
                if only is not None and path not in only:
                    continue
                md5 = self._lay(tar, member, path, package, needs_md5=path in conffiles, where=deb.where)
                if md5:
                    result.conffiles[path] = md5
        return result

    def set_owner(self, path: str, uid: int, gid: int) -> None:
        """Give a file or folder its owner, on disk or on record."""
        if self.ownership == "kept":
            os.lchown(path, uid, gid)
        elif (uid, gid) != (0, 0):
            os.setxattr(path, OWNER_XATTR, encode_owner(uid, gid), follow_symlinks=False)

    def _lay(
        self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, package: str, *, needs_md5: bool, where: str
    ) -> str:
        """Put one file, link or symbolic link in its place; the md5 of its content when wanted, else empty."""
        place = self._place(path, package)
        if member.issym():
            _put(place, lambda: os.symlink(member.linkname, place))
            self._finish_link(place, member)
            return ""
        if member.islnk():
            target = self._place(_absolute(member.linkname, where), package)
            _put(place, lambda: os.link(target, place, follow_symlinks=False))
            return ""
        content = tar.extractfile(member) if member.isreg() else None
        if content is None:
            raise UnsupportedError(f"package file `{where}` holds `{path}`, which is neither file, folder nor link")
        return self._lay_file(place, member, content, needs_md5=needs_md5)

    def _lay_file(self, place: str, member: tarfile.TarInfo, content: IO[bytes], *, needs_md5: bool) -> str:
        descriptor = _put(place, lambda: os.open(place, _NEW_FILE, 0o600))
        try:
            md5 = hashlib.md5(usedforsecurity=False) if needs_md5 else None
            while member.size and (chunk := content.read(_READ_BYTES)):
                _write_all(descriptor, chunk)
                if md5 is not None:
                    md5.update(chunk)
            if self.ownership == "kept":
                os.fchown(descriptor, member.uid, member.gid)
            elif member.uid or member.gid:
                os.setxattr(descriptor, OWNER_XATTR, encode_owner(member.uid, member.gid))
            os.fchmod(descriptor, member.mode & 0o7777)  # after chown, which takes set-id bits away
            moment = min(int(member.mtime), self.newest)
            os.utime(descriptor, (moment, moment))
        finally:
            os.close(descriptor)
        return md5.hexdigest() if md5 else ""

    def _finish_link(self, place: str, member: tarfile.TarInfo) -> None:
        if self.ownership == "kept":
            os.lchown(place, member.uid, member.gid)
        elif member.uid or member.gid:
            raise UnsupportedError(f"symbolic link `{place}` belongs to {member.uid}:{member.gid}, which cannot be kept")
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


def _make_folder(path: str) -> None:
    """A folder where there is none; one that is there, or a link to one, stays as it is (as dpkg does)."""
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    except FileNotFoundError:
        os.makedirs(path, 0o755, exist_ok=True)


def _put(place: str, make: Callable[[], _Made]) -> _Made:
    """Make a file at a place, with its missing parents, instead of one that is there."""
    try:
        return make()
    except FileExistsError:
        os.unlink(place)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
    return make()


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):  # a full disk shows as a short write first
        written += os.write(descriptor, data[written:])
