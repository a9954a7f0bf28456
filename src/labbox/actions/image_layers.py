"""The unpacked layers of images and containers, as the store's functions want them."""

import os
from collections.abc import Iterable

from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.errors import UnsupportedError
from labbox.linux.idmap import Identity, read_subordinate_ranges, root_identity, single_identity, subuid_identity
from labbox.oci.digest import Digest, parse_digest
from labbox.store.layers import LayerStore
from labbox.store.stack import StackedLayer


def layer_store(engine: EmbeddedEngine) -> LayerStore:
    """The layers of the mode in which containers run here."""
    return LayerStore(engine.settings.store_dir, engine.identity)


def every_layer_store(engine: EmbeddedEngine) -> list[LayerStore]:
    """The layers of every mode that this user can work in, the current one first."""
    others = [identity for identity in _identities() if identity.mode != engine.identity.mode]
    return [LayerStore(engine.settings.store_dir, identity) for identity in (engine.identity, *others)]


def stack_of(layers: LayerStore, diff_ids: Iterable[Digest]) -> list[StackedLayer]:
    """Layers (lowest first) as a stack, topmost first."""
    return [StackedLayer(layers.directory(diff_id), layers.side_table(diff_id)) for diff_id in diff_ids][::-1]


def container_stack(layers: LayerStore, container: Container) -> tuple[StackedLayer, list[StackedLayer]]:
    """What a container has written, and the layers of its image below, topmost first."""
    upper = container.folder.upper
    if not layers.run_mapped(lambda: os.path.isdir(upper)):
        # a container that has never run has no layer of its own yet
        layers.run_mapped(lambda: os.makedirs(upper, mode=0o755, exist_ok=True))
    return StackedLayer(upper), stack_of(layers, map(parse_digest, container.spec.diff_ids))


def _identities() -> list[Identity]:
    if os.geteuid() == 0:
        return [root_identity()]
    identities = [single_identity()]
    try:
        import pwd  # noqa: PLC0415

        uid = os.geteuid()
        user = pwd.getpwuid(uid).pw_name
        ranges = (read_subordinate_ranges(path, user, uid) for path in ("/etc/subuid", "/etc/subgid"))
        identities.append(subuid_identity(*ranges))
    except (KeyError, UnsupportedError):
        pass
    return identities
