"""Real .deb files made in memory."""

import io
import lzma
import tarfile
from collections.abc import Iterable, Mapping


def make_deb(
    control: str, files: Iterable[tuple[tarfile.TarInfo, bytes]] = (), scripts: Mapping[str, str] | None = None
) -> bytes:
    """A package with this control file, these members of its data part, and these other control files."""
    control_members = [(_info("./control", len(control.encode())), control.encode())]
    control_members += [
        (_info(f"./{name}", len(text.encode()), mode=0o755), text.encode()) for name, text in (scripts or {}).items()
    ]
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": lzma.compress(_tar(control_members)),
        "data.tar.xz": lzma.compress(_tar(files)),
    }
    return b"!<arch>\n" + b"".join(_ar_member(name, data) for name, data in parts.items())


def file_member(
    path: str, content: bytes, *, mode: int = 0o644, uid: int = 0, gid: int = 0, mtime: int = 0
) -> tuple[tarfile.TarInfo, bytes]:
    """A file of a package."""
    info = _info(f".{path}", len(content), mode=mode)
    info.uid, info.gid, info.mtime = uid, gid, mtime
    return info, content


def folder_member(path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> tuple[tarfile.TarInfo, bytes]:
    """A folder of a package."""
    info = _info(f".{path}/", 0, mode=mode)
    info.type, info.uid, info.gid = tarfile.DIRTYPE, uid, gid
    return info, b""


def link_member(path: str, target: str, *, hard: bool = False) -> tuple[tarfile.TarInfo, bytes]:
    """A symbolic or hard link of a package."""
    info = _info(f".{path}", 0, mode=0o777)
    info.type, info.linkname = (tarfile.LNKTYPE if hard else tarfile.SYMTYPE), target
    return info, b""


def _info(name: str, size: int, *, mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, mode
    return info


def _tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _ar_member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
    return header + data + b"\n" * (len(data) % 2)
