"""`labbox save`: images as an archive that docker, podman and skopeo read."""

import os
from collections.abc import Sequence

from labbox.actions.outgoing_layers import outgoing_layers
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import UsageError
from labbox.oci.digest import Digest, is_hex
from labbox.oci.reference import Reference, parse_reference
from labbox.store.archives.sinks import FolderSink, TarSink
from labbox.store.archives.writing import Format, NamedImage, ReportBytes, ignore_bytes, write_images
from labbox.store.images import ImageStore


def choose_images(store: ImageStore, names: Sequence[str]) -> list[NamedImage]:
    """The images that names mean, each once with every name it is to have in the archive.

    As docker does: a repository without a tag means all its tags; an id, or a name with a digest, gives no name.
    Raises NotFoundError for a name that means nothing.
    """
    chosen: dict[Digest, NamedImage] = {}
    for name in names:
        for text in _expand(store, name):
            image = store.resolve(text)
            before = chosen.get(image.id, NamedImage(image, ()))
            added = [found for found in _names_meant(image.names, text) if found not in before.names]
            chosen[image.id] = before._replace(names=(*before.names, *added))
    return list(chosen.values())


def save_images(
    engine: EmbeddedEngine,
    names: Sequence[str],
    target: int | str,
    *,
    archive_format: Format = "docker-archive",
    report: ReportBytes = ignore_bytes,
) -> None:
    """Write images as a tar archive to a descriptor, or with `oci-dir` as an OCI layout to a folder's path."""
    store = ImageStore(engine.settings.store_dir)
    chosen = choose_images(store, names)
    with outgoing_layers(engine, [each.image for each in chosen]) as layers:
        if isinstance(target, str):
            os.makedirs(target, exist_ok=True)
            write_images(store, chosen, layers, FolderSink(target), archive_format, report)
            return
        sink = TarSink(target)
        write_images(store, chosen, layers, sink, archive_format, report)
        sink.close()


def _expand(store: ImageStore, name: str) -> list[str]:
    """All names of a repository when only that is given."""
    reference = _parse(name)
    if reference is None or reference.tag or reference.digest is not None:
        return [name]
    tags = [
        str(other)
        for digest in dict.fromkeys(summary.id for summary in store.list_images())
        for other in map(parse_reference, store.resolve(str(digest)).names)
        if other.repository == reference.repository and other.tag
    ]
    return sorted(tags) or [name]


def _names_meant(names: Sequence[str], text: str) -> list[Reference]:
    reference = _parse(text)
    return [] if reference is None or str(reference.with_default_tag()) not in names else [reference.with_default_tag()]


def _parse(name: str) -> Reference | None:
    """The reference that a text spells; None for what can only be an id."""
    if is_hex(name.removeprefix("sha256:")) and name.startswith("sha256:"):
        return None
    try:
        return parse_reference(name)
    except UsageError:
        return None
