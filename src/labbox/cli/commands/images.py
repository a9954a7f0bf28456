"""`labbox images`."""

import time
from collections import Counter

from labbox.actions.measure_images import measure_images
from labbox.cli.filters import parse_filter
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.images_listing import LISTING, LISTING_WITH_DIGESTS, ImageRow, describe_image, show_image_id
from labbox.cli.listing import FILTER_FLAG, FORMAT_FLAG, JSON_FLAG, render_listing
from labbox.cli.output import print_json
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.store.images import ImageStore, ImageSummary

COMMAND = Command(
    name="images",
    usage="[REPOSITORY[:TAG]]",
    summary="List images",
    flags=(
        Flag("all", "", "Show all images (there are no intermediate ones to hide)", short="a"),
        Flag("digests", "", "Show digests"),
        FILTER_FLAG,
        FORMAT_FLAG,
        JSON_FLAG,
        Flag("no-trunc", "", "Don't truncate output"),
        Flag("quiet", "", "Only show image IDs", short="q"),
    ),
    maximum=1,
    aliases=("image ls", "image list"),
)


def execute(arguments: Arguments) -> int:
    """List images, newest first, one line per name."""
    engine = open_engine()
    rows = _rows(engine, arguments)
    if arguments.switch("quiet"):
        for image_id in dict.fromkeys(map(show_image_id, rows)):
            print(image_id)
    elif arguments.switch("json"):
        print_json([describe_image(row) for row in rows])
    else:
        listing = LISTING_WITH_DIGESTS if arguments.switch("digests") else LISTING
        print(render_listing(listing, rows, arguments.text("format")), end="")
    return 0


def _rows(engine: EmbeddedEngine, arguments: Arguments) -> list[ImageRow]:
    store = ImageStore(engine.settings.store_dir)
    images = store.list_images()
    sizes = measure_images(engine, [image.id for image in images])
    if arguments.positionals:
        images = [image for image in images if _is_called(image, arguments.positionals[0])]
    pairs = arguments.values("filter", parse_filter)
    if pairs:
        from labbox.cli.image_filters import filter_images

        images = filter_images(store, images, pairs)
    users = Counter(container.spec.image_id for container in engine.list())
    truncated = not arguments.switch("no-trunc")
    now = time.time()
    return [ImageRow(image, now, truncated, users[str(image.id)], sizes[image.id]) for image in images]


def _is_called(image: ImageSummary, pattern: str) -> bool:
    """True for a repository, a repository with its tag, or a pattern of either (`deb*`)."""
    from fnmatch import fnmatchcase

    name = pattern if "@" not in pattern else pattern.partition("@")[0]
    candidates = (image.repository, f"{image.repository}:{image.tag}")
    if not any(fnmatchcase(candidate, name) for candidate in candidates if image.repository):
        return False
    return "@" not in pattern or pattern.partition("@")[2] == str(image.digest)
