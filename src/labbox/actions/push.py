"""`labbox push`: an image to a registry; only what the registry lacks travels, made on the way where it is no blob."""

import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

from labbox.actions.outgoing_layers import outgoing_layers
from labbox.actions.registry_failures import push_failure
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import NotFoundError
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.oci.reference import Reference, parse_reference
from labbox.registry.answer import AnswerError
from labbox.registry.blob_origins import BlobOrigins
from labbox.registry.opening import open_repository
from labbox.registry.repository import Repository
from labbox.registry.transfer import Transfer
from labbox.registry.upload import Uploader
from labbox.store.archives.outgoing import OutgoingLayer, OutgoingLayers
from labbox.store.images import ImageStore, StoredImage

_PIECE_BYTES = 1 << 18
_MOUNT_ATTEMPTS = 2

# (layer, state, done bytes, all bytes): docker's words for states
ReportLayer = Callable[[str, str, int, int], object]


class Pushed(NamedTuple):
    """What was pushed: its name and digest, the length of its manifest, and how many bytes of layers travelled."""

    reference: Reference
    digest: Digest
    manifest_bytes: int
    sent_bytes: int


def push_image(
    engine: EmbeddedEngine,
    reference: Reference,
    environment: Mapping[str, str],
    report: ReportLayer,
    *,
    is_insecure: bool = False,
) -> Pushed:
    """Have the image of this name, with a tag, in its registry; its digest there is the one it has here.

    Raises NotFoundError when there is no such image, RegistryError when the registry does not take it.
    """
    image = ImageStore(engine.settings.store_dir).find(str(reference))
    if image is None:
        raise NotFoundError(f"An image does not exist locally with the tag: {reference.familiar_repository}")
    repository = open_repository(reference, environment, is_insecure=is_insecure)
    with repository.session:
        try:
            return _Push(engine, repository, image, report).run(reference)
        except AnswerError as error:
            raise push_failure(reference, error) from error


def local_tags(engine: EmbeddedEngine, repository: Reference) -> list[Reference]:
    """Every name with a tag that images here have in a repository; raises NotFoundError when there is none."""
    images = ImageStore(engine.settings.store_dir).list_images()
    names = [f"{image.repository}:{image.tag}" for image in images if image.repository and image.tag]
    found = [name for name in map(parse_reference, names) if name.repository == repository.repository]
    if not found:
        raise NotFoundError(f"An image does not exist locally with the tag: {repository.familiar_repository}")
    return sorted(found, key=lambda name: name.tag)


class _Push:
    """One image on its way out."""

    def __init__(self, engine: EmbeddedEngine, repository: Repository, image: StoredImage, report: ReportLayer) -> None:
        self.engine = engine
        self.repository = repository
        self.image = image
        self.report = report
        self.images = ImageStore(engine.settings.store_dir)
        self.origins = BlobOrigins(engine.settings.cache_dir)
        self.transfer = Transfer()
        self.uploader = Uploader(repository, self.transfer.go_on)
        self.lacking: set[Digest] = set()

    def run(self, reference: Reference) -> Pushed:
        manifest = self.images.manifest(self.image)
        layers = {layer.digest: layer for layer in manifest.layers}
        for layer in layers.values():
            self.report(layer.digest.short, "Preparing", 0, layer.size_bytes)
        self.transfer.run([lambda layer=layer: self._look_for(layer) for layer in layers.values()])  # type: ignore[misc]
        if self.lacking:
            self._send_layers(self.lacking)
        if not self.repository.has_blob(manifest.config.digest):
            config = self.images.blobs.read(manifest.config.digest)
            self.uploader.push(manifest.config, lambda: nullcontext([config]), lambda _: None)
        data = self.images.blobs.read(self.image.manifest_digest)
        self.repository.put_manifest(reference.tag, data, manifest.media_type)
        self.origins.note(layers, self.repository.name)
        sent_bytes = sum(layers[digest].size_bytes for digest in self.lacking)
        return Pushed(reference, self.image.manifest_digest, len(data), sent_bytes)

    def _look_for(self, layer: Descriptor) -> None:
        """Find out whether a layer has to travel."""
        self.transfer.go_on()
        name, size_bytes = layer.digest.short, layer.size_bytes
        if self.repository.has_blob(layer.digest):
            self.report(name, "Layer already exists", size_bytes, size_bytes)
            return
        domain, path = self.repository.session.registry.domain, self.repository.path
        others = [other for other in self.origins.repositories(layer.digest, domain) if other != path]
        for other in others[:_MOUNT_ATTEMPTS]:
            if self.repository.mount(layer.digest, other):
                self.report(name, f"Mounted from {other}", size_bytes, size_bytes)
                return
        self.lacking.add(layer.digest)

    def _send_layers(self, digests: Collection[Digest]) -> None:
        with outgoing_layers(self.engine, [self.image], only=digests) as outgoing:
            wanted = {layer.descriptor.digest: layer for layer in outgoing.of(self.image)}
            self.transfer.run(
                [lambda digest=digest: self._send_layer(outgoing, wanted[digest]) for digest in digests]  # type: ignore[misc]
            )

    def _send_layer(self, outgoing: OutgoingLayers, layer: OutgoingLayer) -> None:
        name, size_bytes = layer.descriptor.digest.short, layer.descriptor.size_bytes
        self.transfer.go_on()
        self.uploader.push(
            layer.descriptor,
            lambda: self._open_layer(outgoing, layer),
            lambda done: self.report(name, "Pushing", done, size_bytes),
        )
        self.report(name, "Pushed", size_bytes, size_bytes)

    @contextmanager
    def _open_layer(self, outgoing: OutgoingLayers, layer: OutgoingLayer) -> Iterator[Iterable[bytes]]:
        """A layer's archive from its start: from its blob, or as it is made."""
        if self.images.blobs.has(layer.descriptor.digest):
            with self.images.blobs.open(layer.descriptor.digest) as file:
                yield iter(lambda: file.read(_PIECE_BYTES), b"")
            return
        reader, writer = os.pipe2(os.O_CLOEXEC)
        faults: list[BaseException] = []
        thread = threading.Thread(target=_write, args=(outgoing, layer, writer, faults), daemon=True)
        thread.start()
        try:
            yield _read(reader, layer.descriptor.size_bytes, thread, faults)
        finally:
            # a helper process that packs holds both ends: it must come to its end
            while os.read(reader, _PIECE_BYTES):
                pass
            os.close(reader)
            thread.join()


def _write(outgoing: OutgoingLayers, layer: OutgoingLayer, writer: int, faults: list[BaseException]) -> None:
    try:
        outgoing.write(layer, writer)
    except BaseException as error:  # noqa: BLE001  (raised by whoever reads)
        faults.append(error)
    finally:
        os.close(writer)


def _read(reader: int, size_bytes: int, thread: threading.Thread, faults: list[BaseException]) -> Iterator[bytes]:
    """What is written, as it comes; then what the writer raised."""
    while size_bytes > 0 and (data := os.read(reader, _PIECE_BYTES)):
        size_bytes -= len(data)
        if size_bytes <= 0:
            thread.join()  # its check of the digest comes before the last bytes go
            if faults:
                break
        yield data
    thread.join()
    if faults:
        raise faults[0]
