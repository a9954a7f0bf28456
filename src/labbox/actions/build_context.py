"""What `labbox build` is given to build from: a folder, an archive, a repository, or a Dockerfile alone."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from labbox.build.dockerfile.ignore import NO_RULES, IgnoreRules, parse_ignore
from labbox.build.dockerfile.remote_files import clone_repository, is_git, is_remote
from labbox.errors import NotFoundError, UsageError
from labbox.files import make_private_folder, remove_tree
from labbox.store.extract import extract_tree

DOCKERFILE_NAMES = ("Dockerfile", "dockerfile", "Containerfile")
_ARCHIVE_MAGIC_AT = slice(257, 262)
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_PEEK_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A folder (empty: there is none), its rules, and the Dockerfile's text and name."""

    folder: str
    ignore: IgnoreRules
    dockerfile: str
    file_name: str


@contextmanager
def open_context(place: str, file: str | None, stdin: BinaryIO, tmp_dir: str) -> Iterator[Context]:
    """The context that docker's PATH, URL or `-` means, with the Dockerfile that `-f` names (`-`: stdin).

    Raises NotFoundError when there is no such folder or Dockerfile, UsageError when stdin is asked for twice.
    """
    if place == "-" and file == "-":
        raise UsageError("invalid argument: can't use stdin for both build context and dockerfile", exit_code=1)
    if place == "-":
        stream = io.BufferedReader(_Raw(stdin), 1 << 20)
        if not _is_archive(stream.peek(_PEEK_BYTES)):
            text = stream.read().decode("utf-8", "surrogateescape")
            yield Context(folder="", ignore=NO_RULES, dockerfile=text, file_name="Dockerfile")
            return
        with _temporary_folder(tmp_dir) as folder:
            extract_tree(stream, folder, mode="recorded")
            yield _read_folder(folder, file, stdin)
        return
    if is_remote(place) and is_git(place.partition("#")[0]):
        with _temporary_folder(tmp_dir) as folder:
            yield _read_folder(clone_repository(place, folder), file, stdin)
        return
    if not os.path.isdir(place):
        raise NotFoundError(f"unable to prepare context: path `{place}` not found")
    yield _read_folder(os.path.realpath(place), file, stdin)


def find_dockerfile(folder: str) -> str | None:
    """The path of a folder's own Dockerfile."""
    return next((path for name in DOCKERFILE_NAMES if os.path.isfile(path := os.path.join(folder, name))), None)


def _read_folder(folder: str, file: str | None, stdin: BinaryIO) -> Context:
    if file == "-":
        text = stdin.read().decode("utf-8", "surrogateescape")
        return Context(folder=folder, ignore=_read_ignore(folder, ""), dockerfile=text, file_name="Dockerfile")
    path = find_dockerfile(folder) if file is None else _existing(folder, file)
    if path is None:
        raise NotFoundError(f"failed to read dockerfile: `{folder}` holds no Dockerfile", hint="name one with -f")
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as opened:
            text = opened.read()
    except OSError as error:
        raise NotFoundError(f"failed to read dockerfile `{path}`: {error.strerror}") from error
    shown = os.path.relpath(path, folder)
    return Context(
        folder=folder,
        ignore=_read_ignore(folder, path),
        dockerfile=text,
        file_name=path if shown.startswith("..") else shown,
    )


def _existing(folder: str, file: str) -> str:
    """A Dockerfile by its path from here, as docker has it; in the context as a second try."""
    inside = os.path.join(folder, file)
    return inside if not os.path.exists(file) and os.path.exists(inside) else file


def _read_ignore(folder: str, dockerfile: str) -> IgnoreRules:
    """`<Dockerfile>.dockerignore` beside the Dockerfile, else the folder's `.dockerignore`."""
    for path in (f"{dockerfile}.dockerignore" if dockerfile else "", os.path.join(folder, ".dockerignore")):
        if path and os.path.isfile(path):
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                return parse_ignore(file.read())
    return NO_RULES


def _is_archive(start: bytes) -> bool:
    return start[_ARCHIVE_MAGIC_AT] == b"ustar" or start.startswith(_COMPRESSED)


@contextmanager
def _temporary_folder(tmp_dir: str) -> Iterator[str]:
    make_private_folder(tmp_dir)
    folder = tempfile.mkdtemp(prefix="context-", dir=tmp_dir)
    try:
        yield folder
    finally:
        remove_tree(folder)


class _Raw(io.RawIOBase):
    """A stream that may be buffered already, as a raw one."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a part of the buffer."""
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
