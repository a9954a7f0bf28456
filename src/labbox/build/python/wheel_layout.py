"""Where each file of a wheel is installed to, and the few files that installing it makes. Layout 1.

A wheel's own files keep their bytes, so that their compressed data can be copied. New are: scripts whose first line
names the interpreter, launchers, INSTALLER, and RECORD, whose own bytes are kept with rows added behind where that
can be done.
Source: packaging.python.org, "Binary distribution format" (installing a wheel), "Recording installed projects".
"""

import base64
import csv
import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from labbox.build.python.target import Target
from labbox.build.python.wheel_file import Launcher, RecordRow, Wheel
from labbox.build.python.zip_directory import ZipMember
from labbox.errors import ArchiveError

INSTALLER = b"labbox\n"
_EXECUTABLE_BITS = 0o111
_SHEBANG = b"#!python"
# A tree is an environment by these, which no wheel may replace (PEP 405).
_ENVIRONMENTS_OWN = re.compile(r"pyvenv\.cfg|bin/python[0-9.]*")


class PlacedFile(NamedTuple):
    """A file of the image: the content of a wheel's `member`, if it is one's, and `text` behind it.

    `path` is relative to the image's root; `row` is what the content of the member must hash to, by RECORD.
    """

    path: str
    mode: int
    size_bytes: int
    member: ZipMember | None
    text: bytes
    row: RecordRow


def place_files(wheel: Wheel, target: Target) -> list[PlacedFile]:
    """Every file that installing a wheel gives, by path. Raises ArchiveError for two files at one place."""
    placer = _Placer(wheel, target)
    for member in wheel.members:
        placer.place(member)
    for launcher in wheel.launchers:
        placer.add(f"bin/{launcher.name}", launcher_text(launcher, target.python), mode=0o755)
    placer.add(f"{target.site_packages}/{wheel.dist_info}/INSTALLER", INSTALLER, mode=0o644)
    return placer.finish()


def launcher_text(launcher: Launcher, python: str) -> bytes:
    """The program of a launcher, for any version of Python."""
    function = launcher.attribute.partition(".")[0]
    return (
        f"#!{python}\n"
        "import sys\n\n"
        f"from {launcher.module} import {function}\n\n"
        'if __name__ == "__main__":\n'
        f"    sys.exit({launcher.attribute}())\n"
    ).encode()


def rewrite_shebang(script: bytes, python: str) -> bytes | None:
    """A script that asks for `#!python` (or `#!pythonw`) with the interpreter in that place; None for any other."""
    if not script.startswith(_SHEBANG):
        return None
    line, newline, rest = script.partition(b"\n")
    arguments = line[len(_SHEBANG) :].removeprefix(b"w").rstrip(b"\r")
    if arguments and not arguments.startswith(b" "):
        return None
    return b"#!" + python.encode() + arguments + newline + rest


class _Placer:
    """Collects the files of one wheel, and the rows of RECORD that installing adds."""

    def __init__(self, wheel: Wheel, target: Target) -> None:
        self._wheel = wheel
        self._target = target
        self._prefix = target.prefix.strip("/")
        self._record_name = f"{wheel.dist_info}/RECORD"
        self._installer_name = f"{wheel.dist_info}/INSTALLER"
        self._files: dict[str, PlacedFile] = {}
        self._moved: dict[str, str] = {}  # member → place, both as RECORD writes them
        self._added: list[tuple[str, str, str]] = []

    def place(self, member: ZipMember) -> None:
        """Place one member; RECORD and an INSTALLER of the wheel's own are left to the end."""
        if member.name == self._record_name:
            return
        if member.name == self._installer_name:
            self._moved[member.name] = ""
            return
        place, is_script = self._place_of(member)
        mode = 0o755 if is_script or member.mode & _EXECUTABLE_BITS else 0o644
        if place != f"{self._target.site_packages}/{member.name}":
            self._moved[member.name] = place
        script = rewrite_shebang(self._wheel.scripts[member.name], self._target.python) if is_script else None
        if script is not None:
            self._put(place, PlacedFile("", mode, len(script), None, script, _NO_ROW))
            return
        row = self._wheel.rows.get(member.name, _NO_ROW)
        self._put(place, PlacedFile("", mode, member.size_bytes, member, b"", row))

    def add(self, place: str, text: bytes, *, mode: int) -> None:
        """A file that installing makes; a launcher takes the place of a script of the same name, as pip has it."""
        if place in self._files and not place.startswith("bin/"):
            raise ArchiveError(f"`{self._wheel.file_name}`: two files are installed as `{place}`")
        self._files.pop(place, None)
        self._put(place, PlacedFile("", mode, len(text), None, text, _NO_ROW))
        self._added.append((self._record_path(place), f"sha256={encode_hash(text)}", str(len(text))))

    def finish(self) -> list[PlacedFile]:
        """All files with RECORD, by path."""
        place = f"{self._target.site_packages}/{self._record_name}"
        member = next(member for member in self._wheel.members if member.name == self._record_name)
        if self._moved:
            text = self._rewrite_record()
            self._put(place, PlacedFile("", 0o644, len(text), None, text, _NO_ROW))
        else:
            rows = _csv_text(self._added)
            text = rows if self._wheel.record.endswith(b"\n") else b"\n" + rows
            self._put(place, PlacedFile("", 0o644, member.size_bytes + len(text), member, text, _NO_ROW))
        return [self._files[place] for place in sorted(self._files)]

    def _place_of(self, member: ZipMember) -> tuple[str, bool]:
        """Where a member goes, relative to the prefix, and whether it is a script."""
        folder, _, rest = member.name.partition("/")
        if folder != self._wheel.data_folder:
            return f"{self._target.site_packages}/{member.name}", False
        scheme, _, path = rest.partition("/")
        folders = {
            "purelib": f"{self._target.site_packages}/",
            "platlib": f"{self._target.site_packages}/",
            "headers": f"include/site/python{self._target.language}/{self._wheel.name}/",
            "scripts": "bin/",
            "data": "",
        }
        if scheme not in folders or not path:
            raise ArchiveError(f"`{self._wheel.file_name}`: member `{member.name}` is to go to an unknown place")
        return folders[scheme] + path, scheme == "scripts"

    def _put(self, place: str, file: PlacedFile) -> None:
        if place in self._files:
            raise ArchiveError(f"`{self._wheel.file_name}`: two files are installed as `{place}`")
        if _ENVIRONMENTS_OWN.fullmatch(place):
            raise ArchiveError(f"`{self._wheel.file_name}` would replace `{place}` of the environment itself")
        self._files[place] = file._replace(path=f"{self._prefix}/{place}")

    def _rewrite_record(self) -> bytes:
        """RECORD with each file where it is now; rows of a changed file get its new hash."""
        rows: list[tuple[str, str, str]] = []
        added = {row[0] for row in self._added}
        for member in self._wheel.members:
            name = member.name
            place = self._moved.get(name, f"{self._target.site_packages}/{name}")
            path = self._record_path(place) if place else ""
            if not path or path in added or name == self._record_name:
                continue
            file = self._files[place]
            row = file.row if file.member is not None else RecordRow("sha256", encode_hash(file.text))
            rows.append((path, f"{row.algorithm}={row.value}" if row.value else "", str(file.size_bytes)))
        return _csv_text(sorted([*rows, *self._added, (self._record_name, "", "")]))

    def _record_path(self, place: str) -> str:
        """A place as RECORD writes it: relative to the folder of modules."""
        site_packages = self._target.site_packages
        if place.startswith(f"{site_packages}/"):
            return place[len(site_packages) + 1 :]
        return "../" * (site_packages.count("/") + 1) + place


_NO_ROW = RecordRow("", "")


def encode_hash(data: bytes) -> str:
    """The sha256 of some bytes as RECORD writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def content_key(file: PlacedFile) -> str:
    """Equal for two files only when their content and mode are equal."""
    if file.member is not None and file.row.value and not file.text:
        return f"{file.mode:o} {file.row.algorithm} {file.row.value}"
    if file.member is None:
        return f"{file.mode:o} sha256 {encode_hash(file.text)}"
    return f"{file.mode:o} {file.member.crc:08x} {file.member.size_bytes} {zlib.crc32(file.text):08x} {file.path}"


def _csv_text(rows: Iterable[tuple[str, str, str]]) -> bytes:
    buffer = io.StringIO()
    write: Callable[[tuple[str, str, str]], object] = csv.writer(buffer, lineterminator="\n").writerow
    for row in rows:
        write(row)
    return buffer.getvalue().encode()
