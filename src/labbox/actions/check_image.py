"""`labbox build --check`: a lab's image made once more from its lock alone, and what differs from the one here."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labbox.actions.lab.image import build_image
from labbox.actions.lab.prepare import PreparedLab
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.files import make_private_folder
from labbox.oci.config import ImageConfig
from labbox.oci.digest import Digest
from labbox.store.images import ImageStore, StoredImage
from labbox.store.layers import LayerStore

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A layer that came out otherwise: its number (lowest is 0), what it holds, and both diff_ids (None: no layer)."""

    number: int
    title: str
    here: Digest | None
    again: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The image here and the one made again; they are equal when their manifests are."""

    here: StoredImage
    again: StoredImage
    differences: tuple[Difference, ...]

    @property
    def is_equal(self) -> bool:
        """True when both have the same manifest digest."""
        return self.here.manifest_digest == self.again.manifest_digest


def check_image(
    engine: EmbeddedEngine, prepared: PreparedLab, environment: Mapping[str, str], report: Report
) -> Comparison:
    """Make the image in a store of its own, which is removed again. Downloads are shared; every file is checked."""
    settings = engine.settings
    scratch = os.path.join(settings.tmp_dir, f"check-{os.getpid()}-{os.urandom(4).hex()}")
    make_private_folder(scratch)
    elsewhere = EmbeddedEngine(settings._replace(data_dir=scratch, own_cache_dir=settings.cache_dir), environment)
    try:
        again = build_image(elsewhere, prepared.definition, prepared.lock, prepared.plan, environment, report).image
        here = ImageStore(settings.store_dir).resolve(str(prepared.image.image.id))
        return Comparison(here=here, again=again, differences=tuple(_differences(here.config, again.config)))
    finally:
        LayerStore(elsewhere.settings.store_dir, engine.identity).remove_tree(scratch)


def _differences(here: ImageConfig, again: ImageConfig) -> list[Difference]:
    titles = [step.created_by for step in here.history if not step.empty_layer]
    found = []
    for number in range(max(len(here.diff_ids), len(again.diff_ids))):
        first, second = _at(here.diff_ids, number), _at(again.diff_ids, number)
        if first != second:
            title = titles[number] if number < len(titles) else ""
            found.append(Difference(number=number, title=title, here=first, again=second))
    return found


def _at(diff_ids: tuple[Digest, ...], number: int) -> Digest | None:
    return diff_ids[number] if number < len(diff_ids) else None
