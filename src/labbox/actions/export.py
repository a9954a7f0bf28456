"""`labbox export`: a container's files as a tar archive, without volumes and mounts."""

import os

from labbox.actions.image_layers import container_stack, layer_store
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.store.ownership import ownership_of
from labbox.store.stack import export_stack


def export_container(engine: EmbeddedEngine, container: Container, descriptor: int) -> None:
    """Write the archive to a descriptor."""
    layers = layer_store(engine)
    upper, lowers = container_stack(layers, container)
    mode = ownership_of(layers.mode)

    def write(data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    layers.run_mapped(lambda: export_stack([upper, *lowers], mode=mode, write=write))
