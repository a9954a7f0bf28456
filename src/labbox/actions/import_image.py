"""`labbox import`: an image of one layer from a tar archive of a root file system."""

import os
from typing import BinaryIO, NamedTuple

from labbox.actions.changes import apply_changes
from labbox.actions.image_layers import layer_store
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.timestamps import now_text
from labbox.oci.config import History, ImageConfig
from labbox.oci.platform import Platform, machine_platform
from labbox.oci.reference import Reference
from labbox.store.commit import import_tree
from labbox.store.images import ImageStore, StoredImage, layer_descriptor


class ImportRequest(NamedTuple):
    """What is to be imported: under which name, with which changes of its configuration and which comment."""

    name: Reference | None = None
    changes: tuple[str, ...] = ()
    message: str = ""
    platform: Platform | None = None


def import_image(engine: EmbeddedEngine, stream: BinaryIO, request: ImportRequest) -> StoredImage:
    """Keep the archive as a layer and the image made of it; raises ArchiveError for a bad archive, leaving nothing."""
    store, layers = ImageStore(engine.settings.store_dir), layer_store(engine)
    created = now_text()
    platform = request.platform or machine_platform(os.uname().machine)
    config = apply_changes(ImageConfig(platform=platform, created=created), list(request.changes))
    with layers.creating():
        packed, record = import_tree(layers, stream)
        config = config.with_layer(
            record.diff_id, History(created=created, comment=request.message or "Imported from -")
        )
        return store.add(config, [layer_descriptor(packed)], [request.name] if request.name else [])
