"""`labbox build` of a Dockerfile: its stages built in order, those that do not depend on each other side by side."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from labbox.actions.build_context import Context
from labbox.build.children import Child
from labbox.build.dockerfile.cache import StepCache
from labbox.build.dockerfile.layering import Layerer
from labbox.build.dockerfile.parsing import parse_dockerfile
from labbox.build.dockerfile.stage_builder import build_stage
from labbox.build.dockerfile.stages import BuildPlan, Stage, make_plan
from labbox.build.dockerfile.workroom import BuildReport, Secret, StageImage, Workroom
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import LabboxError, UnsupportedError, UsageError
from labbox.files import make_private_folder
from labbox.oci.platform import machine_platform
from labbox.oci.reference import Reference
from labbox.store.images import ImageStore, StoredImage
from labbox.store.layers import LayerStore

# Gets an image by its name, pulled or assembled when it is missing.
FindImage = Callable[[str], StoredImage]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What is asked for besides the context: the image's names, the stage wanted, and what steps are given."""

    names: tuple[Reference, ...] = ()
    target: str = ""
    build_arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    platform: str = ""
    network: str = "auto"
    uses_cache: bool = True


def build_image(
    engine: EmbeddedEngine,
    context: Context,
    request: BuildRequest,
    environment: Mapping[str, str],
    report: BuildReport,
    find_image: FindImage,
    prepare_layers: Callable[[StoredImage], None],
) -> StoredImage:
    """Build and name the image; nothing is named unless all of it succeeds.

    Raises DockerfileError for a file that cannot be read, StepError for a step that fails.
    """
    parsed, instructions = parse_dockerfile(context.dockerfile)
    arguments = {**_platform_arguments(), **request.build_arguments}
    plan = make_plan(instructions, arguments, target=request.target, escape=parsed.escape)
    plan = replace(plan, global_arguments={**_platform_arguments(), **plan.global_arguments})
    images = ImageStore(engine.settings.store_dir)
    layers = LayerStore(engine.settings.store_dir, engine.identity)
    epoch = _read_epoch({**environment, **request.build_arguments})

    def find(name: str, platform: str) -> StageImage:
        _check_platform(platform or request.platform)
        image = find_image(name)
        prepare_layers(image)
        return StageImage(config=image.config, layers=images.manifest(image).layers)

    with layers.creating(), _scratch_folder(engine.settings.tmp_dir, layers) as scratch:
        room = Workroom(
            engine=engine,
            layerer=Layerer(layers, engine.identity, epoch=epoch),
            cache=StepCache(engine.settings.cache_dir, layers, is_used=request.uses_cache),
            report=report,
            find_image=find,
            environment=environment,
            scratch=scratch,
            file_name=context.file_name,
            context=context.folder,
            ignore=context.ignore,
            escape=parsed.escape,
            epoch=epoch,
            network=request.network,
            build_arguments=request.build_arguments,
            secrets=request.secrets,
        )
        made = _build_stages(room, plan)
        config = made.config._replace(labels={**made.config.labels, **request.labels})
        return images.add(config, made.layers, request.names)


def _build_stages(room: Workroom, plan: BuildPlan) -> StageImage:
    made: dict[int, StageImage] = {}
    while plan.order[-1] not in made:
        ready = [plan.stages[number] for number in plan.order if number not in made]
        ready = [stage for stage in ready if stage.needs <= made.keys()]
        made.update(zip([stage.number for stage in ready], _build_together(room, plan, ready, made), strict=True))
    return made[plan.order[-1]]


def _build_together(
    room: Workroom, plan: BuildPlan, stages: Sequence[Stage], made: Mapping[int, StageImage]
) -> list[StageImage]:
    """Stages that need nothing of each other, each in a process of its own when there are several."""
    if len(stages) == 1:
        return [build_stage(room, plan, stages[0], made)]
    _ = room.engine.identity  # found once, before there are several processes
    results: list[StageImage] = []
    failures: list[LabboxError] = []
    with ExitStack() as running:
        children = [
            running.enter_context(
                Child(lambda _, stage=stage: build_stage(room, plan, stage, made), what=f"stage {stage.name}")  # type: ignore[misc]
            )
            for stage in stages
        ]
        for child in children:
            try:
                results.append(child.result(lambda *_: None))
            except LabboxError as error:  # the others end by themselves, so that no container is left behind
                failures.append(error)
    if failures:
        raise failures[0]
    return results


@contextmanager
def _scratch_folder(tmp_dir: str, layers: LayerStore) -> Iterator[str]:
    make_private_folder(tmp_dir)
    folder = tempfile.mkdtemp(prefix="build-", dir=tmp_dir)
    try:
        yield folder
    finally:
        layers.remove_tree(folder)


def _platform_arguments() -> dict[str, str]:
    """The arguments that every Dockerfile may ask for (docs.docker.com/reference/dockerfile, "global scope")."""
    machine = machine_platform(os.uname().machine)
    text = f"{machine.os}/{machine.architecture}" + (f"/{machine.variant}" if machine.variant else "")
    values = {"PLATFORM": text, "OS": machine.os, "ARCH": machine.architecture, "VARIANT": machine.variant}
    return {f"{side}{name}": value for side in ("TARGET", "BUILD") for name, value in values.items()}


def _check_platform(platform: str) -> None:
    machine = machine_platform(os.uname().machine)
    if platform and platform not in (machine.os, machine.architecture, f"{machine.os}/{machine.architecture}"):
        raise UnsupportedError(
            f"images for `{platform}` cannot be built on {machine.os}/{machine.architecture}",
            hint="build on a machine of that kind",
        )


def _read_epoch(environment: Mapping[str, str]) -> int | None:
    """SOURCE_DATE_EPOCH (reproducible-builds.org/specs/source-date-epoch)."""
    text = environment.get("SOURCE_DATE_EPOCH", "")
    if text and not text.isdigit():
        raise UsageError(f"SOURCE_DATE_EPOCH must be a number of seconds, not `{text}`")
    return int(text) if text else None
