"""A wheel written anew so that equal contents are equal bytes, whoever zipped it, where and when.

Files stand in the order of their names with the metadata last (PEP 427 recommends it), at the first time a zip can
say, with one of two modes, and are not compressed: what a compressor writes differs with its version. `RECORD` is
written anew, as its rows' order is its maker's whim, and `WHEEL` no longer names the generator's version.
"""

import base64
import csv
import hashlib
import io
import re
import stat
import zipfile

from labbox.errors import ArchiveError

_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_RECORD = re.compile(r"[^/]+\.dist-info/RECORD")
_WHEEL = re.compile(r"[^/]+\.dist-info/WHEEL")
_SIGNATURES = re.compile(r"[^/]+\.dist-info/RECORD\.(jws|p7s)")
_GENERATOR = re.compile(rb"^Generator: .*$", re.MULTILINE)


def repack_wheel(source: str, target: str) -> None:
    """Write the wheel at `source` to `target`; ArchiveError when it is none."""
    try:
        with zipfile.ZipFile(source) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            files = {entry.filename: (_content(archive, entry), _mode(entry)) for entry in entries}
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise ArchiveError(f"`{source}` is not a wheel: {error}") from error
    record = next((name for name in files if _RECORD.fullmatch(name)), None)
    if record is None:
        raise ArchiveError(f"`{source}` is not a wheel: it has no RECORD")
    kept = {name: file for name, file in files.items() if name != record and not _SIGNATURES.fullmatch(name)}
    names = sorted(kept, key=lambda name: (".dist-info/" in name, name))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            content, mode = kept[name]
            archive.writestr(_info(name, mode), content)
        archive.writestr(_info(record, 0o644), _write_record({name: kept[name][0] for name in names}, record))


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    content = archive.read(entry)
    return _GENERATOR.sub(b"Generator: labbox", content) if _WHEEL.fullmatch(entry.filename) else content


def _mode(entry: zipfile.ZipInfo) -> int:
    return 0o755 if entry.external_attr >> 16 & stat.S_IXUSR else 0o644


def _info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.create_system = _UNIX
    info.external_attr = (stat.S_IFREG | mode) << 16
    return info


def _write_record(files: dict[str, bytes], record: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        writer.writerow((name, f"sha256={digest}", len(content)))
    writer.writerow((record, "", ""))
    return text.getvalue()
