"""`images --filter`: docker's filters over images."""

import time
from collections.abc import Collection
from fnmatch import fnmatchcase

from labbox.cli.clock import parse_moment, parse_rfc3339
from labbox.cli.filters import Filters, collect_filters
from labbox.store.images import ImageStore, ImageSummary

_KNOWN = frozenset({"before", "dangling", "label", "reference", "since", "until"})


def filter_images(
    store: ImageStore, images: list[ImageSummary], pairs: Collection[tuple[str, str]]
) -> list[ImageSummary]:
    """The images that all filters accept; order is kept."""
    filters = collect_filters(pairs, _KNOWN)
    images = _between(store, images, filters)
    dangling = filters.switch("dangling")
    return [
        image
        for image in images
        if (dangling is None or dangling == (not image.repository))
        and _accepts_reference(filters.texts("reference"), image)
        and (not filters.texts("label") or filters.accepts_labels(store.resolve(str(image.id)).config.labels))
    ]


def _between(store: ImageStore, images: list[ImageSummary], filters: Filters) -> list[ImageSummary]:
    for text in filters.texts("since"):
        limit = store.resolve(text).config.created
        images = [image for image in images if image.created > limit]
    for text in filters.texts("before"):
        limit = store.resolve(text).config.created
        images = [image for image in images if image.created < limit]
    for text in filters.texts("until"):
        moment = parse_moment(text, time.time())
        images = [image for image in images if image.created and parse_rfc3339(image.created) < moment]
    return images


def _accepts_reference(patterns: tuple[str, ...], image: ImageSummary) -> bool:
    names = (image.repository, f"{image.repository}:{image.tag}") if image.repository else ()
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
