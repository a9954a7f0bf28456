"""Unpacked layers by diff_id, one set per identity mode: the folders that an overlay is made of.

    layers/<mode>/<hex>/        the layer: whiteouts as character devices 0:0, opaque folders by user.overlay.opaque
    layers/<mode>/<hex>.json    its record: sizes, and the side table of what its inodes cannot carry
    layers/<mode>/<hex>.lock    held by whoever unpacks it

A layer's folder appears by rename(2), after its record: a folder that exists is whole. What a killed command leaves
lies in `tmp/` and is garbage.
"""

import os

from labbox.errors import DigestMismatchError, NotFoundError
from labbox.files import locked, make_private_folder, read_json, write_json
from labbox.lightweight_modules import contextmanager
from labbox.lightweight_typing import TYPE_CHECKING, Any, BinaryIO, Callable, Iterator, NamedTuple, TypeVar
from labbox.oci.digest import Digest
from labbox.store.blobs import no_space_reported

if TYPE_CHECKING:
    from labbox.linux.idmap import Identity
    from labbox.store.ownership import SideEntry, SideTable
    from labbox.store.tar_writer import PackedTree

RECORD_VERSION = 1
_Result = TypeVar("_Result")


class LayerRecord(NamedTuple):
    """What is known of an unpacked layer.

    `is_canonical` says that packing its folder, with times clamped to `newest`, gives its diff_id again.
    """

    diff_id: Digest
    tar_bytes: int
    entry_count: int
    is_canonical: bool
    newest: int | None = None


class LayerStore:
    """The unpacked layers of one identity mode below `store_dir`."""

    def __init__(self, store_dir: str, identity: "Identity") -> None:
        self.mode = identity.mode
        self.layers_dir = os.path.join(store_dir, "layers", identity.mode)
        self._store_dir = store_dir
        self._identity = identity
        self._tmp_dir = os.path.join(store_dir, "tmp")

    @property
    def store_dir(self) -> str:
        """The store that the layers belong to."""
        return self._store_dir

    def directory(self, diff_id: Digest) -> str:
        """The folder of a layer; raises NotFoundError when it is not unpacked in this mode."""
        path = f"{self.layers_dir}/{diff_id.hex}"
        if not os.path.isdir(path):
            raise NotFoundError(f"layer `{diff_id}` is not unpacked for mode `{self.mode}`")
        return path

    def has(self, diff_id: Digest) -> bool:
        """True when the layer is unpacked in this mode."""
        return os.path.isdir(f"{self.layers_dir}/{diff_id.hex}")

    def record(self, diff_id: Digest) -> LayerRecord:
        """Sizes of a layer; raises NotFoundError."""
        document = self._document(diff_id)
        return LayerRecord(
            diff_id, document["tar_bytes"], document["entry_count"], document["is_canonical"], document["newest"]
        )

    def measure(self, diff_id: Digest) -> int | None:
        """The length of the layer's plain tar, or None when it is not unpacked in this mode."""
        return self.record(diff_id).tar_bytes if self.has_record(diff_id) else None

    def has_record(self, diff_id: Digest) -> bool:
        """True when the layer's record is there."""
        return os.path.exists(f"{self.layers_dir}/{diff_id.hex}.json")

    def side_table(self, diff_id: Digest) -> dict[bytes, "SideEntry"]:
        """What the layer's inodes could not carry (mode `single`); raises NotFoundError."""
        from labbox.store.ownership import parse_side_table  # noqa: PLC0415  (not needed to start a container)

        return parse_side_table(self._document(diff_id)["side_table"])

    def diff_ids(self) -> list[Digest]:
        """Every layer unpacked in this mode."""
        try:
            names = os.listdir(self.layers_dir)
        except FileNotFoundError:
            return []
        return [Digest("sha256", name) for name in sorted(names) if "." not in name]

    def adopt(self, tree: str, packed: "PackedTree", *, side_table: "SideTable | None" = None) -> LayerRecord:
        """Make a tree that labbox built the layer `packed.diff_id`: the folder is moved, not copied.

        `tree` is on the store's file system (best made by `staging`) and was packed as it is now. When the layer is
        here already, the tree is removed.
        """
        record = LayerRecord(
            packed.diff_id, packed.size_bytes, packed.entry_count, is_canonical=True, newest=packed.newest
        )
        with self.creating(), self._locked(packed.diff_id):
            if self.has(packed.diff_id):
                self.remove_tree(tree)
                return self.record(packed.diff_id)
            self._place(tree, record, side_table or {})
        return record

    def unpack(self, stream: BinaryIO, diff_id: Digest | None = None) -> LayerRecord:
        """Unpack a layer's tar (compressed or not) from a stream; with `diff_id` it must have that digest.

        Raises ArchiveError for a malformed or hostile archive and DigestMismatchError for another one; nothing of it
        is left then. A layer that is here already is not read.
        """
        with self.creating():
            if diff_id is None:
                return self._unpack(stream, None)
            with self._locked(diff_id):
                return self.record(diff_id) if self.has(diff_id) else self._unpack(stream, diff_id)

    def remove(self, diff_id: Digest) -> None:
        """Remove an unpacked layer: first its name, then its files."""
        doomed = os.path.join(self._tmp_dir, f"removed-{diff_id.hex[:16]}-{os.urandom(4).hex()}")
        make_private_folder(self._tmp_dir)
        if self.has(diff_id):
            self.run_mapped(lambda: os.rename(f"{self.layers_dir}/{diff_id.hex}", doomed))
            self.remove_tree(doomed)
        for suffix in (".json", ".lock"):
            try:
                os.unlink(f"{self.layers_dir}/{diff_id.hex}{suffix}")
            except FileNotFoundError:
                continue

    @contextmanager
    def staging(self) -> Iterator[str]:
        """An empty folder to build a tree in, owned by the image's root; removed at the end unless it was adopted."""
        with self.creating(), no_space_reported(self._store_dir):
            make_private_folder(self._tmp_dir)
            path = os.path.join(self._tmp_dir, f"tree-{os.getpid()}-{os.urandom(6).hex()}")
            self.run_mapped(lambda: _make_folder(path))
            try:
                yield path
            finally:
                self.remove_tree(path)

    @contextmanager
    def creating(self) -> Iterator[None]:
        """Hold off the garbage collector while something is made that no name points at yet."""
        make_private_folder(self.layers_dir)
        with locked(in_use_path(self._store_dir), exclusive=False):
            yield

    def run_mapped(self, function: Callable[[], _Result]) -> _Result:
        """Run a function as the image's root: as we are, or in a child inside the user namespace."""
        if self.mode == "root":
            return function()
        from labbox.linux import idmap  # noqa: PLC0415  (finding a layer's folder needs no namespace)

        identity = idmap.single_identity() if self.mode == "single" else self._identity
        return idmap.run_mapped(identity, function)

    def remove_tree(self, path: str) -> None:
        """Remove a tree that belongs to the image's users; a path that is gone is no error."""
        from labbox.files import remove_tree  # noqa: PLC0415

        if os.path.lexists(path):
            self.run_mapped(lambda: remove_tree(path))

    def _unpack(self, stream: BinaryIO, expected: Digest | None) -> LayerRecord:
        from labbox.store.extract import Extracted, extract_layer  # noqa: PLC0415  (large; only needed here)
        from labbox.store.ownership import ownership_of  # noqa: PLC0415

        with self.staging() as tree:
            mode = ownership_of(self.mode)
            extracted: Extracted = self.run_mapped(lambda: extract_layer(stream, tree, mode=mode))
            if expected is not None and extracted.diff_id != expected:
                raise DigestMismatchError(f"layer unpacks to `{extracted.diff_id}`, expected `{expected}`")
            record = LayerRecord(extracted.diff_id, extracted.tar_bytes, extracted.entry_count, is_canonical=False)
            if expected is not None:
                self._place(tree, record, extracted.side_table)
                return record
            with self._locked(extracted.diff_id):
                if not self.has(extracted.diff_id):
                    self._place(tree, record, extracted.side_table)
                return self.record(extracted.diff_id)

    def _place(self, tree: str, record: LayerRecord, side_table: "SideTable") -> None:
        from labbox.store.ownership import side_table_document  # noqa: PLC0415

        path = f"{self.layers_dir}/{record.diff_id.hex}"
        document = {
            "version": RECORD_VERSION,
            "diff_id": str(record.diff_id),
            "tar_bytes": record.tar_bytes,
            "entry_count": record.entry_count,
            "is_canonical": record.is_canonical,
            "newest": record.newest,
            "side_table": side_table_document(side_table),
        }
        with no_space_reported(self._store_dir):
            write_json(path + ".json", document)
            # Moving a folder to another parent writes its "..": only its owner may (rename(2), EACCES).
            self.run_mapped(lambda: os.rename(tree, path))

    def _document(self, diff_id: Digest) -> dict[str, Any]:
        try:
            document: dict[str, Any] = read_json(f"{self.layers_dir}/{diff_id.hex}.json")
        except FileNotFoundError as error:
            raise NotFoundError(f"layer `{diff_id}` is not unpacked for mode `{self.mode}`") from error
        return document

    @contextmanager
    def _locked(self, diff_id: Digest) -> Iterator[None]:
        with locked(f"{self.layers_dir}/{diff_id.hex}.lock"):
            yield


def _make_folder(path: str) -> None:
    os.mkdir(path, 0o700)
    os.chmod(path, 0o755)  # whatever the umask says


def in_use_path(store_dir: str) -> str:
    """The lock that makers of images and containers share and the garbage collector takes alone."""
    return os.path.join(store_dir, ".in-use")
