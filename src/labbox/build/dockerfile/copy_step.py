"""COPY and ADD as one step: what it depends on, and the layer it makes."""

import json
import os
import posixpath
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from labbox.build.dockerfile.copying import CopyPart, CopyTask, check_sources, copy_into, matches_of
from labbox.build.dockerfile.ignore import NO_RULES, IgnoreRules, make_rules
from labbox.build.dockerfile.instructions import Copy
from labbox.build.dockerfile.remote_files import fetch_remote, is_remote
from labbox.build.dockerfile.tree_source import TreeSource, hash_matches
from labbox.build.dockerfile.workroom import StageImage, Workroom
from labbox.errors import NotFoundError
from labbox.oci.digest import Digest
from labbox.oci.shell_words import expand_document, expand_word
from labbox.store.tar_writer import PackedTree

FindOrigin = Callable[[str], StageImage]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStep:
    """A step that can be run; `said` is all that its layer follows from besides the layers below."""

    said: str
    task: CopyTask
    room: Workroom

    def execute(self, below: Sequence[Digest]) -> PackedTree | None:
        """The layer."""
        return self.room.layerer.make(below, lambda tree: copy_into(tree, self.task))


def plan_copy(
    room: Workroom, find_origin: FindOrigin, item: Copy, variables: Mapping[str, str], working_dir: str
) -> CopyStep:
    """The step with its variables replaced and its sources found; NotFoundError for a source that is missing."""

    def expand(text: str) -> str:
        return expand_word(text, variables, escape=room.escape)

    sources = tuple(expand(source) for source in item.sources)
    destination = expand(item.destination)
    check_sources(len(sources) + len(item.heredocs), destination, item.statement.name)
    excludes = make_rules([expand(pattern) for pattern in item.excludes]) if item.excludes else NO_RULES
    parts: list[CopyPart] = []
    said: list[object] = []
    if item.heredocs:
        parts.append(_write_heredocs(room, item, variables))
        said.append(hash_part(parts[-1], NO_RULES))
    plain = tuple(source for source in sources if not (item.is_add and is_remote(source)))
    if plain and item.from_stage:
        origin = find_origin(expand(item.from_stage))
        diff_ids = origin.config.diff_ids
        parts.append(CopyPart(origin=tuple(room.layerer.stack(diff_ids)), sources=plain))
        said.append([[str(diff_id) for diff_id in diff_ids], plain])
    elif plain:
        unpacks = item.is_add and item.unpack is not False
        parts.append(CopyPart(origin=_context(room), sources=plain, ignore=room.ignore, unpacks=unpacks))
        said.append(hash_part(parts[-1], excludes))
    for source in sources:
        if item.is_add and is_remote(source):
            folder = fetch_remote(source, room.scratch, checksum=expand(item.checksum), keeps_git=item.keeps_git_dir)
            name = "." if os.path.isdir(f"{folder}/.git") or source.startswith("git") else os.listdir(folder)[0]
            parts.append(CopyPart(origin=folder, sources=(name,), unpacks=bool(item.unpack)))
            said.append(hash_part(parts[-1], excludes))
    task = CopyTask(
        parts=tuple(parts),
        destination=_absolute(destination, working_dir),
        owner=expand(item.owner),
        mode=expand(item.mode),
        parents=item.parents,
        excludes=excludes,
    )
    surroundings = [
        said,
        task.destination,
        task.owner,
        task.mode,
        task.parents,
        item.excludes,
        item.is_add,
        item.unpack,
    ]
    return CopyStep(said=json.dumps(surroundings), task=task, room=room)


def hash_part(part: CopyPart, excludes: IgnoreRules) -> list[object]:
    """What the sources of a folder of this host are, as a plain value."""
    assert isinstance(part.origin, str)
    root = os.open(part.origin, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        source = TreeSource(root=root, ignore=part.ignore, excludes=excludes)
        return [part.sources, hash_matches(source, matches_of(source, part.sources)), part.unpacks]
    finally:
        os.close(root)


def _context(room: Workroom) -> str:
    if not room.context:
        raise NotFoundError("there is no build context to copy from", hint="give a folder as the last argument")
    return room.context


def _absolute(destination: str, working_dir: str) -> str:
    is_folder = destination.endswith("/") or destination.rpartition("/")[2] in (".", "..")
    path = posixpath.normpath(posixpath.join("/", working_dir, destination))
    return f"{path}/" if is_folder and path != "/" else path


def _write_heredocs(room: Workroom, item: Copy, variables: Mapping[str, str]) -> CopyPart:
    folder = tempfile.mkdtemp(prefix="heredoc-", dir=room.scratch)
    for heredoc in item.heredocs:
        text = heredoc.text
        if heredoc.expand:
            text = expand_document(text, variables, escape=room.escape)
        with open(f"{folder}/{heredoc.name}", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.chmod(f"{folder}/{heredoc.name}", 0o644)
    return CopyPart(origin=folder, sources=tuple(heredoc.name for heredoc in item.heredocs))
