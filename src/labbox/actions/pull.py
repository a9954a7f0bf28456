"""`labbox pull`: an image from a registry, its layers unpacked as they arrive."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from labbox.actions.image_layers import layer_store
from labbox.actions.registry_failures import pull_failure
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import ArchiveError, LabboxError, UnsupportedError
from labbox.oci import media_types
from labbox.oci.config import ImageConfig, parse_config
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.oci.document import MAX_DOCUMENT_BYTES
from labbox.oci.manifest import Index, Manifest, select_platform
from labbox.oci.platform import Platform, machine_platform, serves
from labbox.oci.reference import Reference
from labbox.registry.answer import AnswerError
from labbox.registry.blob_origins import BlobOrigins
from labbox.registry.download import Downloader
from labbox.registry.opening import open_repository
from labbox.registry.repository import FetchedManifest, Repository
from labbox.registry.transfer import Transfer
from labbox.store.images import ImageStore, StoredImage

# (layer, state, done bytes, all bytes): docker's words for states
ReportLayer = Callable[[str, str, int, int], object]


class PullRequest(NamedTuple):
    """Which image: a name with a tag, a digest or both."""

    reference: Reference
    platform: Platform | None = None
    is_insecure: bool = False


class Pulled(NamedTuple):
    """What a pull gave: the image, the digest that its name stands for there, and whether it was here already."""

    reference: Reference
    digest: Digest
    image: StoredImage
    was_present: bool


def pull_image(
    engine: EmbeddedEngine, request: PullRequest, environment: Mapping[str, str], report: ReportLayer
) -> Pulled:
    """Have the image here under its name, unpacked; what was here already is not fetched.

    Raises NotFoundError or RegistryError when the registry does not give it, DigestMismatchError when it gives
    something else. What was fetched stays for the next attempt.
    """
    repository = open_repository(request.reference, environment, is_insecure=request.is_insecure)
    with repository.session:
        try:
            return _Pull(engine, request, repository, report).run()
        except AnswerError as error:
            raise pull_failure(request.reference, error) from error


def list_tags(reference: Reference, environment: Mapping[str, str], *, is_insecure: bool = False) -> list[str]:
    """Every tag of a repository, sorted; raises RegistryError."""
    repository = open_repository(reference, environment, is_insecure=is_insecure)
    with repository.session:
        try:
            return sorted(repository.tags())
        except AnswerError as error:
            raise pull_failure(reference, error) from error


class _Pull:
    """One image on its way here."""

    def __init__(
        self, engine: EmbeddedEngine, request: PullRequest, repository: Repository, report: ReportLayer
    ) -> None:
        self.request = request
        self.repository = repository
        self.report = report
        self.images = ImageStore(engine.settings.store_dir)
        self.layers = layer_store(engine)
        self.origins = BlobOrigins(engine.settings.cache_dir)
        self.transfer = Transfer()
        self.downloader = Downloader(repository, self.images.blobs, self.images.store_dir, self.transfer.go_on)

    def run(self) -> Pulled:
        reference = self.request.reference
        top = self.repository.manifest(str(reference.digest or reference.tag), expected=reference.digest)
        found, manifest = self._choose(top)
        before = self.images.find(str(reference))
        with self.layers.creating():
            config = self._fetch_config(manifest)
            # a layer may occur twice
            pairs = list({pair[0].digest: pair for pair in zip(manifest.layers, config.diff_ids, strict=True)}.values())
            is_complete = all(self._is_here(layer, diff_id) for layer, diff_id in pairs)
            if not is_complete or before is None:
                self._fetch_layers(pairs)
            self.origins.note([layer.digest for layer in manifest.layers], self.repository.name)
            was_present = before is not None and before.manifest_digest == found.digest and is_complete
            image = self.images.add_manifest(found.data, [_stored_name(reference)], index=top.digest)
        return Pulled(reference, top.digest, image, was_present)

    def _choose(self, top: FetchedManifest) -> tuple[FetchedManifest, Manifest]:
        """The manifest for the platform, out of an index when the name stands for several."""
        if isinstance(top.document, Manifest):
            return top, top.document
        chosen = select_platform(top.document, self.request.platform or machine_platform(os.uname().machine))
        found = self.repository.manifest(str(chosen.digest), expected=chosen.digest)
        if isinstance(found.document, Index):
            raise ArchiveError(f"`{self.repository.name}` has an index inside an index")
        return found, found.document

    def _fetch_config(self, manifest: Manifest) -> ImageConfig:
        name = self.request.reference.familiar
        if manifest.config.media_type not in media_types.CONFIGS:
            raise UnsupportedError(f"`{name}` is no image of a container: its config is `{manifest.config.media_type}`")
        if manifest.config.size_bytes > MAX_DOCUMENT_BYTES:
            raise ArchiveError(f"the config of `{name}` is too large: {manifest.config.size_bytes} bytes")
        self.downloader.fetch(manifest.config, lambda _: None)
        config = parse_config(self.images.blobs.read(manifest.config.digest))
        if len(config.diff_ids) != len(manifest.layers):
            raise ArchiveError(f"`{name}` has {len(manifest.layers)} layers, and {len(config.diff_ids)} in its config")
        wanted = self.request.platform
        if wanted is not None and not serves(config.platform, wanted):
            raise LabboxError(
                f"image with reference {name} was found but does not provide the specified platform ({wanted})"
            )
        return config

    def _fetch_layers(self, pairs: Sequence[tuple[Descriptor, Digest]]) -> None:
        for layer, _ in pairs:
            self.report(layer.digest.short, "Pulling fs layer", 0, layer.size_bytes)
        self.transfer.run([lambda pair=pair: self._fetch_layer(*pair) for pair in pairs])  # type: ignore[misc]
        for layer, diff_id in pairs:  # what was not unpacked beside the downloads
            self._unpack(layer, diff_id)

    def _fetch_layer(self, layer: Descriptor, diff_id: Digest) -> None:
        name, size_bytes = layer.digest.short, layer.size_bytes
        self.transfer.go_on()
        if self._is_here(layer, diff_id):
            self.report(name, "Already exists", size_bytes, size_bytes)
            return
        self.downloader.fetch(layer, lambda done: self.report(name, "Downloading", done, size_bytes))
        self.report(name, "Download complete", size_bytes, size_bytes)
        if self.layers.mode == "root":  # elsewhere it takes a fork, which must find no lock held by another thread
            self._unpack(layer, diff_id)

    def _unpack(self, layer: Descriptor, diff_id: Digest) -> None:
        if self.layers.has(diff_id):
            return
        name, size_bytes = layer.digest.short, layer.size_bytes
        self.report(name, "Extracting", size_bytes, size_bytes)
        with self.images.blobs.open(layer.digest) as stream:
            self.layers.unpack(stream, diff_id)
        self.report(name, "Pull complete", size_bytes, size_bytes)

    def _is_here(self, layer: Descriptor, diff_id: Digest) -> bool:
        """True when the layer is unpacked, and its archive here or such as can be made again to be pushed."""
        if not self.layers.has(diff_id):
            return False
        if self.images.blobs.has(layer.digest) or self.images.recipes.has(layer.digest):
            return True
        return layer.digest == diff_id and self.layers.record(diff_id).is_canonical


def _stored_name(reference: Reference) -> Reference:
    """As docker: pulled by digest, the image has no tag."""
    return reference._replace(tag="") if reference.digest is not None else reference
