"""The images of this machine and their names: `index.json` of an OCI image layout (image-spec image-layout.md).

Every image is one descriptor in the index per name (annotation `org.opencontainers.image.ref.name`, the name in full);
an image without a name has one descriptor without it. The index changes under flock(2) and by rename(2). The layers
of an image that labbox made are named by the digest of their uncompressed canonical tar, or by that of an archive
whose recipe is kept (`labbox.store.recipes`); neither need be a blob.
"""

import os

from labbox.errors import ArchiveError, ConflictError, NotFoundError, StoreError
from labbox.files import locked, make_private_folder, read_json, write_atomic, write_json
from labbox.lightweight_modules import contextmanager
from labbox.lightweight_typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, NamedTuple, Sequence
from labbox.oci.config import ImageConfig, encode_config, parse_config
from labbox.oci.digest import Digest, is_hex, parse_digest
from labbox.oci.reference import Reference, parse_reference
from labbox.store.blobs import BlobStore, no_space_reported
from labbox.store.layers import in_use_path
from labbox.store.recipes import RecipeStore

# Manifests and descriptors are imported where they are used: an image with its id in the index is found without.
if TYPE_CHECKING:
    from labbox.oci.descriptor import Descriptor
    from labbox.oci.manifest import Manifest
    from labbox.store.tar_writer import PackedTree

NAME_ANNOTATION = "org.opencontainers.image.ref.name"
# "<image id> <manifest digest>": an id is found without opening the manifest. The digest shows whether another tool
# has given the entry a new manifest and kept the annotation, as umoci does.
ID_ANNOTATION = "org.labbox.image.id"
# "<index digest> <manifest digest>": what the name stood for where the image was pulled from, one of several platforms.
INDEX_ANNOTATION = "org.labbox.image.index"
_ID_DIGITS = 64
_Entry = dict[str, Any]


class StoredImage(NamedTuple):
    """An image of this machine. `id` is the digest of its config; `manifest_digest` what `name@digest` says."""

    id: Digest
    names: tuple[str, ...]
    config: ImageConfig
    diff_ids: tuple[Digest, ...]
    manifest_digest: Digest


class ImageSummary(NamedTuple):
    """One line of `docker images`: an image under one of its names (repository and tag empty when it has none)."""

    repository: str
    tag: str
    digest: Digest
    id: Digest
    created: str
    size_bytes: int


class Removal(NamedTuple):
    """What `rmi` did: names that are gone, and the image's id when nothing names it any more."""

    untagged: tuple[str, ...]
    deleted: Digest | None


class ImageStore:
    """Images below `store_dir`."""

    def __init__(self, store_dir: str) -> None:
        self.store_dir = store_dir
        self.blobs = BlobStore(store_dir)
        self.recipes = RecipeStore(store_dir)
        self._index_path = os.path.join(store_dir, "index.json")

    def resolve(self, name: str) -> StoredImage:
        """The image that a name, an id, the start of an id or `name@digest` means.

        Raises NotFoundError when there is none, ConflictError when an id's start fits several, UsageError when the
        text can be no name.
        """
        entries = self._read_entries()
        found = _find(entries, name, self._id_of)
        if found is None:
            raise NotFoundError(f"No such image: {_with_tag(name)}")
        return self._load(found, entries)

    def find(self, name: str) -> StoredImage | None:
        """As `resolve`, with None when there is no such image."""
        entries = self._read_entries()
        found = _find(entries, name, self._id_of)
        return None if found is None else self._load(found, entries)

    def manifest(self, image: StoredImage) -> "Manifest":
        """The image's manifest."""
        return self._read_manifest(image.manifest_digest)[1]

    def add(self, config: ImageConfig, layers: "Sequence[Descriptor]", names: Iterable[Reference] = ()) -> StoredImage:
        """Keep an image of these layers (lowest first, as many as `config.diff_ids`) under these names.

        Hold `creating()` from the first layer on until this returns, or the garbage collector may take the layers.
        """
        from labbox.oci import media_types  # noqa: PLC0415
        from labbox.oci.descriptor import Descriptor  # noqa: PLC0415
        from labbox.oci.manifest import Manifest, encode_manifest  # noqa: PLC0415

        if len(layers) != len(config.diff_ids):
            raise ValueError(f"{len(layers)} layers for {len(config.diff_ids)} diff_ids")
        config_bytes = encode_config(config)
        with self.creating():
            config_digest = self.blobs.add(config_bytes)
            config_descriptor = Descriptor(media_types.OCI_CONFIG, config_digest, len(config_bytes))
            manifest = encode_manifest(Manifest(config_descriptor, tuple(layers)))
            return self.add_manifest(manifest, names)

    def add_manifest(self, data: bytes, names: Iterable[Reference] = (), *, index: Digest | None = None) -> StoredImage:
        """Keep an image by the bytes of its manifest, whose config is in the store; its digest stays what it was.

        `index` is the digest of the index it was chosen from: the image is found by that as well.
        """
        from labbox.oci.descriptor import Descriptor  # noqa: PLC0415
        from labbox.oci.manifest import Manifest, parse_manifest  # noqa: PLC0415

        manifest = parse_manifest(data)
        if not isinstance(manifest, Manifest):
            raise ArchiveError("an index of several images cannot be stored as one image")
        self.blobs.size_bytes(manifest.config.digest)
        with self.creating():
            digest = self.blobs.add(data)
            entry = Descriptor(manifest.media_type, digest, len(data)).to_document()
            entry["annotations"] = {ID_ANNOTATION: f"{manifest.config.digest} {digest}"}
            if index is not None and index != digest:
                entry["annotations"][INDEX_ANNOTATION] = f"{index} {digest}"
            entries = self._change(
                lambda entries: _put(entries, entry, [str(name.with_default_tag()) for name in names])
            )
        return self._load(entry, entries)

    def tag(self, source: str, target: Reference) -> None:
        """Give the image that `source` means another name; an image that had the name keeps its others."""

        def change(entries: list[_Entry]) -> list[_Entry]:
            found = _find(entries, source, self._id_of)
            if found is None:
                raise NotFoundError(f"No such image: {_with_tag(source)}")
            return _put(entries, found, [str(target.with_default_tag())])

        self._change(change)

    def untag(self, name: Reference) -> Removal:
        """Take a name from its image; an image without another name is no image any more (its files are garbage)."""
        wanted = str(name.with_default_tag())
        removal = Removal((), None)

        def change(entries: list[_Entry]) -> list[_Entry]:
            nonlocal removal
            gone = [entry for entry in entries if _name_of(entry) == wanted]
            if not gone:
                raise NotFoundError(f"No such image: {name.with_default_tag().familiar}")
            left = [entry for entry in entries if entry not in gone]
            image_id = self._id_of(gone[0])
            is_last = all(self._id_of(entry) != image_id for entry in left)
            removal = Removal((wanted,), image_id if is_last else None)
            return left

        self._change(change)
        return removal

    def remove(self, image_id: Digest) -> Removal:
        """Take every name of an image, and the image itself; its files are garbage afterwards."""
        removal = Removal((), None)

        def change(entries: list[_Entry]) -> list[_Entry]:
            nonlocal removal
            gone = [entry for entry in entries if self._id_of(entry) == image_id]
            if not gone:
                raise NotFoundError(f"No such image: {image_id}")
            removal = Removal(tuple(sorted(name for name in map(_name_of, gone) if name)), image_id)
            return [entry for entry in entries if entry not in gone]

        self._change(change)
        return removal

    def list_images(self, measure: Callable[[Digest], int | None] | None = None) -> list[ImageSummary]:
        """Every image under every name, newest first, as `docker images` shows them.

        `measure` (`LayerStore.measure`) tells the unpacked size of a layer; without it, or where it does not know,
        the size in the manifest counts, which may be a compressed one.
        """
        summaries = [self._summarise(entry, measure) for entry in self._read_entries()]
        return sorted(summaries, key=lambda summary: (summary.created, summary.repository, summary.tag), reverse=True)

    def manifests(self) -> list[Digest]:
        """The digest of every manifest (or index) that the store names: where the garbage collector starts."""
        return [parse_digest(entry["digest"]) for entry in self._read_entries()]

    def stated_ids(self) -> list[tuple[Digest, Digest | None]]:
        """The manifest digest of every entry, with the image id that the index notes for it."""
        return [(parse_digest(entry["digest"]), _stated_id(entry)) for entry in self._read_entries()]

    @contextmanager
    def creating(self) -> Iterator[None]:
        """Hold off the garbage collector while an image or a container is made."""
        make_private_folder(self.store_dir)
        with locked(in_use_path(self.store_dir), exclusive=False):
            yield

    def _load(self, entry: _Entry, entries: list[_Entry]) -> StoredImage:
        image_id, digest = _stated_id(entry), parse_digest(entry["digest"])
        if image_id is None:
            digest, manifest = self._read_manifest(digest)
            image_id = manifest.config.digest
        config = parse_config(self.blobs.read(image_id))
        names = tuple(sorted(_name_of(other) for other in entries if other["digest"] == entry["digest"]))
        return StoredImage(
            id=image_id,
            names=tuple(name for name in names if name),
            config=config,
            diff_ids=config.diff_ids,
            manifest_digest=digest,
        )

    def _read_manifest(self, digest: Digest) -> "tuple[Digest, Manifest]":
        """A manifest and its digest; of an index, the one for this machine."""
        from labbox.oci.manifest import Manifest, parse_manifest, select_platform  # noqa: PLC0415
        from labbox.oci.platform import machine_platform  # noqa: PLC0415

        manifest = parse_manifest(self.blobs.read(digest), f"manifest {digest.short}")
        if isinstance(manifest, Manifest):
            return digest, manifest
        chosen = select_platform(manifest, machine_platform(os.uname().machine))
        return self._read_manifest(chosen.digest)

    def _summarise(self, entry: _Entry, measure: Callable[[Digest], int | None] | None) -> ImageSummary:
        digest, manifest = self._read_manifest(parse_digest(entry["digest"]))
        name = _name_of(entry)
        reference = parse_reference(name) if name else None
        config = parse_config(self.blobs.read(manifest.config.digest))
        measured = [measure(diff_id) if measure is not None else None for diff_id in config.diff_ids]
        return ImageSummary(
            repository=reference.familiar_repository if reference is not None else "",
            tag=reference.tag if reference is not None else "",
            digest=digest,
            id=manifest.config.digest,
            created=config.created,
            size_bytes=sum(
                layer.size_bytes if size is None else size
                for layer, size in zip(manifest.layers, measured, strict=True)
            ),
        )

    def _id_of(self, entry: _Entry) -> Digest:
        return _stated_id(entry) or self._read_manifest(parse_digest(entry["digest"]))[1].config.digest

    def _read_entries(self) -> list[_Entry]:
        try:
            document = read_json(self._index_path)
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise StoreError(
                f"cannot read `{self._index_path}`: {error}", hint="run `labbox doctor --store`"
            ) from error
        entries: list[_Entry] = document["manifests"]
        return entries

    def _change(self, change: Callable[[list[_Entry]], list[_Entry]]) -> list[_Entry]:
        """Replace the index by what `change` makes of it; nobody else changes it meanwhile."""
        from labbox.oci.descriptor import parse_descriptor  # noqa: PLC0415
        from labbox.oci.media_types import OCI_INDEX  # noqa: PLC0415

        self._lay_out()
        with no_space_reported(self.store_dir), locked(os.path.join(self.store_dir, ".index.lock")):
            entries = change(self._read_entries())
            for entry in entries:
                parse_descriptor(entry, "index.json")
            document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
            write_json(self._index_path, document)
        return entries

    def _lay_out(self) -> None:
        make_private_folder(os.path.join(self.store_dir, "blobs", "sha256"))
        marker = os.path.join(self.store_dir, "oci-layout")
        if not os.path.exists(marker):
            write_atomic(marker, b'{"imageLayoutVersion": "1.0.0"}\n')


def layer_descriptor(packed: "PackedTree") -> "Descriptor":
    """The descriptor of a layer that labbox made: its uncompressed canonical tar."""
    from labbox.oci.descriptor import Descriptor  # noqa: PLC0415
    from labbox.oci.media_types import OCI_LAYER  # noqa: PLC0415

    return Descriptor(OCI_LAYER, packed.diff_id, packed.size_bytes)


def parse_diff_ids(config: bytes) -> tuple[Digest, ...]:
    """The diff_ids in the bytes of an image's config."""
    return parse_config(config).diff_ids


def _stated_id(entry: _Entry) -> Digest | None:
    """The image id that labbox noted for this very manifest; another tool's entries have none."""
    text = entry.get("annotations", {}).get(ID_ANNOTATION, "")
    image_id, _, digest = text.partition(" ") if isinstance(text, str) else ("", "", "")
    return parse_digest(image_id) if digest == entry["digest"] else None


def _index_of(entry: _Entry) -> str:
    """The digest of the index that this very manifest was pulled by; empty when it was not."""
    text = entry.get("annotations", {}).get(INDEX_ANNOTATION, "")
    index, _, digest = text.partition(" ") if isinstance(text, str) else ("", "", "")
    return index if digest == entry["digest"] else ""


def _name_of(entry: _Entry) -> str:
    name = entry.get("annotations", {}).get(NAME_ANNOTATION, "")
    return name if isinstance(name, str) else ""


def _put(entries: list[_Entry], entry: _Entry, names: list[str]) -> list[_Entry]:
    """The index with `entry` under each of the names, and without a name when it has none at all.

    What loses its last name to `entry` stays, without a name, as docker keeps it.
    """
    bare = {key: value for key, value in entry.items() if key != "annotations"}
    annotations = {key: value for key, value in entry.get("annotations", {}).items() if key != NAME_ANNOTATION}
    added = [{**bare, "annotations": {**annotations, NAME_ANNOTATION: name}} for name in names]
    kept = [other for other in entries if _name_of(other) not in names]
    for other in entries:
        if _name_of(other) in names and other["digest"] not in {item["digest"] for item in kept + added}:
            kept.append(_without_name(other))
    if added:
        kept = [other for other in kept if _name_of(other) or other["digest"] != entry["digest"]]
    elif entry["digest"] not in {other["digest"] for other in kept}:
        added = [{**bare, "annotations": annotations}]
    return kept + added


def _without_name(entry: _Entry) -> _Entry:
    annotations = {key: value for key, value in entry["annotations"].items() if key != NAME_ANNOTATION}
    return {**entry, "annotations": annotations}


def _find(entries: list[_Entry], name: str, id_of: Callable[[_Entry], Digest]) -> _Entry | None:
    """Docker's order: a whole id, then a name, then the start of an id."""
    digits = name.removeprefix("sha256:")
    is_id = is_hex(digits) and len(digits) <= _ID_DIGITS
    if not (is_id and (len(digits) == _ID_DIGITS or digits != name)):
        found = _find_name(entries, name)
        if found is not None or not is_id:
            return found
    matches = {id_of(entry): entry for entry in entries if id_of(entry).hex.startswith(digits)}
    if len(matches) > 1:
        raise ConflictError(f"image id `{name}` is ambiguous", hint="give more digits of the id")
    return next(iter(matches.values()), None)


def _find_name(entries: list[_Entry], name: str) -> _Entry | None:
    reference = parse_reference(name).with_default_tag()
    if reference.digest is None:
        wanted = str(reference)
        return next((entry for entry in entries if _name_of(entry) == wanted), None)
    for entry in entries:
        other = _name_of(entry)
        if (
            str(reference.digest) in (entry["digest"], _index_of(entry))
            and other
            and parse_reference(other).repository == reference.repository
        ):
            return entry
    return None


def _with_tag(name: str) -> str:
    if name.startswith("sha256:") or (len(name) == _ID_DIGITS and is_hex(name)):
        return name
    return parse_reference(name).with_default_tag().familiar
