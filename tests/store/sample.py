"""Images made of small archives."""

import io

from labbox.oci.config import History, ImageConfig
from labbox.oci.platform import machine_platform
from labbox.oci.reference import parse_reference
from labbox.store.images import ImageStore, StoredImage, layer_descriptor
from labbox.store.layers import LayerStore
from labbox.store.tar_writer import PackedTree
from store.archives import Piece, file, tar

BARE = ImageConfig(machine_platform("x86_64"), created="2024-01-01T00:00:00Z", cmd=("sh",))


def make_image(
    layers: LayerStore, images: ImageStore, *names: str, content: str = "content", pieces: tuple[Piece, ...] = ()
) -> StoredImage:
    """An image of one layer, whose file `name` holds `content`, under some names."""
    data = tar(*(pieces or (file("name", content.encode()),)))
    with images.creating():
        record = layers.unpack(io.BytesIO(data))
        config = BARE.with_layer(record.diff_id, History(created_by="test"))
        packed = PackedTree(record.diff_id, record.tar_bytes, record.entry_count)
        return images.add(config, [layer_descriptor(packed)], [parse_reference(name) for name in names])
