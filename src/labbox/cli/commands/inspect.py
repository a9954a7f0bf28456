"""`labbox inspect`."""

from typing import Any

from labbox.actions.inspect_container import inspect_container
from labbox.actions.inspect_image import inspect_image
from labbox.actions.sizes import container_sizes
from labbox.actions.volumes import find_volume, inspect_volume
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.inspecting import inspect_names
from labbox.cli.listing import INSPECT_FORMAT_FLAG, JSON_FLAG
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import LabboxError, NotFoundError
from labbox.store.images import ImageStore

KINDS = ("container", "image", "volume")
COMMAND = Command(
    name="inspect",
    usage="NAME|ID [NAME|ID...]",
    summary="Return low-level information on containers, images and volumes",
    flags=(
        INSPECT_FORMAT_FLAG,
        JSON_FLAG,
        Flag("size", "", "Display total file sizes if the type is container", short="s"),
        Flag("type", "string", "Only inspect objects of the given type (container, image, volume)"),
    ),
    minimum=1,
)


def execute(arguments: Arguments) -> int:
    """Describe containers, images and volumes: each name is looked up in this order."""
    kind = arguments.text("type")
    if kind is not None and kind not in KINDS:
        raise LabboxError(f'unknown type: "{kind}": must be one of "container", "image", "volume"')
    engine = open_engine()
    kinds = (kind,) if kind is not None else KINDS
    with_size = arguments.switch("size")
    return inspect_names(
        arguments.positionals,
        lambda name: describe(engine, name, kinds, with_size=with_size),
        arguments.text("format"),
    )


def describe(engine: EmbeddedEngine, name: str, kinds: tuple[str, ...], *, with_size: bool = False) -> dict[str, Any]:
    """The document of the first kind of thing that has this name; NotFoundError in docker's words."""
    describers = {"container": _describe_container, "image": _describe_image, "volume": _describe_volume}
    for kind in kinds:
        try:
            return describers[kind](engine, name, with_size=with_size)
        except LabboxError as error:
            if len(kinds) == 1:
                raise
            if not isinstance(error, NotFoundError) and "invalid reference format" not in error.message:
                raise
    raise NotFoundError(f"No such object: {name}")


def _describe_container(engine: EmbeddedEngine, name: str, *, with_size: bool) -> dict[str, Any]:
    container = engine.find(name)
    document = inspect_container(engine, container)
    if with_size:
        written, image = container_sizes(engine, container)
        document |= {"SizeRw": written, "SizeRootFs": written + image}
    return document


def _describe_image(engine: EmbeddedEngine, name: str, *, with_size: bool) -> dict[str, Any]:  # noqa: ARG001  (one shape)
    return inspect_image(engine, ImageStore(engine.settings.store_dir).resolve(name))


def _describe_volume(engine: EmbeddedEngine, name: str, *, with_size: bool) -> dict[str, Any]:  # noqa: ARG001  (one shape)
    return inspect_volume(find_volume(engine, name))
