"""`labbox inspect` of an image: docker's document (docs.docker.com/reference/api/engine, ImageInspect)."""

import os
from typing import Any

from labbox.actions.image_layers import every_layer_store
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.oci.config import Healthcheck, ImageConfig
from labbox.oci.reference import parse_reference
from labbox.store.image_sizes import layer_sizes
from labbox.store.images import ImageStore, StoredImage

_Document = dict[str, Any]


def inspect_image(engine: EmbeddedEngine, image: StoredImage) -> _Document:
    """The image as docker describes it."""
    store = ImageStore(engine.settings.store_dir)
    measures = [layers.measure for layers in every_layer_store(engine)]
    config = image.config
    references = [parse_reference(name) for name in image.names]
    repositories = dict.fromkeys(reference.familiar_repository for reference in references)
    return {
        "Id": str(image.id),
        "RepoTags": [reference.familiar for reference in references if reference.tag],
        "RepoDigests": [f"{repository}@{image.manifest_digest}" for repository in repositories],
        "Parent": "",
        "Comment": config.history[-1].comment if config.history else "",
        "Created": config.created,
        "Author": config.author,
        "Config": _runtime(config),
        "Architecture": config.platform.architecture,
        "Variant": config.platform.variant,
        "Os": config.platform.os,
        "Size": sum(layer.size_bytes for layer in layer_sizes(store, image, measures)),
        "GraphDriver": {"Name": "overlay", "Data": _graph(engine, image)},
        "RootFS": {"Type": "layers", "Layers": [str(diff_id) for diff_id in image.diff_ids]},
        "History": [entry._asdict() for entry in config.history],
    }


def _runtime(config: ImageConfig) -> _Document:
    return {
        "User": config.user,
        "ExposedPorts": {port: {} for port in config.exposed_ports} or None,
        "Env": list(config.environment),
        "Cmd": None if config.cmd is None else list(config.cmd),
        "Healthcheck": None if config.healthcheck is None else _healthcheck(config.healthcheck),
        "Volumes": {volume: {} for volume in config.volumes} or None,
        "WorkingDir": config.working_dir,
        "Entrypoint": None if config.entrypoint is None else list(config.entrypoint),
        "OnBuild": list(config.on_build) or None,
        "Labels": dict(config.labels),
        "StopSignal": config.stop_signal,
        "Shell": list(config.shell) or None,
    }


def _healthcheck(healthcheck: Healthcheck) -> _Document:
    return {
        "Test": list(healthcheck.test),
        "Interval": healthcheck.interval_ns,
        "Timeout": healthcheck.timeout_ns,
        "StartPeriod": healthcheck.start_period_ns,
        "Retries": healthcheck.retries,
    }


def _graph(engine: EmbeddedEngine, image: StoredImage) -> _Document:
    layers = os.path.join(engine.settings.store_dir, "layers", engine.identity.mode)
    folders = [os.path.join(layers, diff_id.hex) for diff_id in reversed(image.diff_ids)]
    return {"UpperDir": folders[0] if folders else "", "LowerDir": ":".join(folders[1:])}
