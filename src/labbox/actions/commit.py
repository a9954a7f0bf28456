"""`labbox commit`: an image of what a container, running or not, has changed."""

from typing import NamedTuple

from labbox.actions.changes import apply_changes
from labbox.actions.diff import MOUNT_POINTS
from labbox.actions.image_layers import container_stack, layer_store
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.engine.embedded.timestamps import now_text
from labbox.engine.specification import ContainerSpec
from labbox.errors import LabboxError, NotFoundError
from labbox.oci import media_types
from labbox.oci.config import History, ImageConfig, parse_config
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import parse_digest
from labbox.oci.reference import Reference
from labbox.store.commit import commit_changes
from labbox.store.images import ImageStore, StoredImage, layer_descriptor
from labbox.store.layers import LayerStore


class CommitRequest(NamedTuple):
    """The new image's name, who made it and why, and changes of its configuration."""

    name: Reference | None = None
    author: str = ""
    message: str = ""
    changes: tuple[str, ...] = ()


def commit_container(engine: EmbeddedEngine, container: Container, request: CommitRequest) -> StoredImage:
    """Keep the container's changes as a layer on its image; volumes and mounts are not part of it."""
    store, layers = ImageStore(engine.settings.store_dir), layer_store(engine)
    base, descriptors = _base_of(store, layers, container.spec)
    created = now_text()
    config = apply_changes(_config_of(base, container.spec), list(request.changes))
    history = History(
        created=created,
        created_by=" ".join(container.spec.command),
        author=request.author,
        comment=request.message,
    )
    with layers.creating():
        upper, lowers = container_stack(layers, container)
        packed, record = commit_changes(layers, upper, lowers, placeholders=MOUNT_POINTS)
        config = config.with_layer(record.diff_id, history)._replace(created=created, author=request.author)
        names = [request.name] if request.name is not None else []
        return store.add(config, [*descriptors, layer_descriptor(packed)], names)


def _config_of(base: ImageConfig, spec: ContainerSpec) -> ImageConfig:
    """The image runs by default what the container ran."""
    return base._replace(
        user=spec.user,
        environment=spec.environment,
        entrypoint=spec.entrypoint or None,
        cmd=spec.arguments or None,
        working_dir=spec.working_dir,
        exposed_ports=tuple(sorted({*base.exposed_ports, *spec.exposed_ports})),
        labels=dict(spec.labels),
        stop_signal=base.stop_signal if spec.stop_signal == "SIGTERM" else spec.stop_signal,
    )


def _base_of(store: ImageStore, layers: LayerStore, spec: ContainerSpec) -> tuple[ImageConfig, list[Descriptor]]:
    """The configuration and layers of the container's image, which may have lost its names meanwhile."""
    try:
        image = store.resolve(spec.image_id)
    except NotFoundError:
        config = parse_config(store.blobs.read(parse_digest(spec.image_id)))
        return config, [_describe_layer(layers, diff_id) for diff_id in spec.diff_ids]
    return image.config, list(store.manifest(image).layers)


def _describe_layer(layers: LayerStore, text: str) -> Descriptor:
    record = layers.record(parse_digest(text))
    if not record.is_canonical:
        raise LabboxError(
            f"the image of this container was removed, and its layer `{text}` cannot be packed again",
            hint="get the image again, then commit",
        )
    return Descriptor(media_types.OCI_LAYER, record.diff_id, record.tar_bytes)
