"""Instructions as stages, which of them a target needs, and in what order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labbox.build.dockerfile.failures import DockerfileError
from labbox.build.dockerfile.instructions import Arg, Copy, From, Instruction, Run
from labbox.errors import NotFoundError
from labbox.oci.shell_words import expand_word


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: its number, where it starts, its instructions, and the numbers of the stages that it needs."""

    number: int
    start: From
    image: str
    base: int | None
    instructions: tuple[Instruction, ...]
    needs: frozenset[int]

    @property
    def name(self) -> str:
        """The stage's name, or its number."""
        return self.start.stage_name or f"stage-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """Every stage, and the ones to build in order: the last is the target."""

    stages: tuple[Stage, ...]
    order: tuple[int, ...]
    global_arguments: Mapping[str, str]

    @property
    def target(self) -> Stage:
        """The stage whose image is wanted."""
        return self.stages[self.order[-1]]


def make_plan(
    instructions: Sequence[Instruction], build_arguments: Mapping[str, str], *, target: str = "", escape: str = "\\"
) -> BuildPlan:
    """The stages of a Dockerfile; raises DockerfileError, and NotFoundError for a target that is no stage."""
    first = next((at for at, item in enumerate(instructions) if isinstance(item, From)), len(instructions))
    arguments: dict[str, str] = {}
    for item in instructions[:first]:
        if not isinstance(item, Arg):
            raise DockerfileError("no build stage in current context: FROM comes first", line=item.statement.line)
        arguments.update(_global_values(item, arguments, build_arguments, escape))
    if first == len(instructions):
        raise DockerfileError("no build stage: FROM is missing")
    stages: list[Stage] = []
    for start, body in _groups(instructions[first:]):
        stages.append(_make_stage(stages, start, body, arguments, escape))
    wanted = _find_target(stages, target)
    return BuildPlan(stages=tuple(stages), order=_order(stages, wanted), global_arguments=arguments)


def find_stage(stages: Sequence[Stage], name: str) -> int | None:
    """The number of the stage that a name or a number means; the last of a name wins."""
    for stage in reversed(stages):
        if stage.start.stage_name and stage.start.stage_name == name.lower():
            return stage.number
    return int(name) if name.isdigit() and int(name) < len(stages) else None


def _global_values(
    item: Arg, arguments: Mapping[str, str], build_arguments: Mapping[str, str], escape: str
) -> dict[str, str]:
    values = {}
    for name, default in item.pairs:
        if name in build_arguments:
            values[name] = build_arguments[name]
        elif default is not None:
            values[name] = expand_word(default, arguments, escape=escape)
    return values


def _groups(instructions: Sequence[Instruction]) -> list[tuple[From, list[Instruction]]]:
    groups: list[tuple[From, list[Instruction]]] = []
    for item in instructions:
        if isinstance(item, From):
            groups.append((item, []))
        else:
            groups[-1][1].append(item)
    return groups


def _make_stage(
    stages: Sequence[Stage], start: From, body: Sequence[Instruction], arguments: Mapping[str, str], escape: str
) -> Stage:
    image = expand_word(start.image, arguments, escape=escape)
    if not image:
        raise DockerfileError(
            f"base name ({start.image}) should not be blank",
            line=start.statement.line,
            hint="give the variable a default with ARG before FROM, or a value with --build-arg",
        )
    named = find_stage(stages, image) if not image.isdigit() else None
    needs = {named} if named is not None else set()
    for item in body:
        needs |= {number for name in _stages_named(item) if (number := find_stage(stages, name)) is not None}
    return Stage(
        number=len(stages), start=start, image=image, base=named, instructions=tuple(body), needs=frozenset(needs)
    )


def _stages_named(item: Instruction) -> list[str]:
    if isinstance(item, Copy):
        return [item.from_stage] if item.from_stage else []
    return [mount.from_stage for mount in item.mounts if mount.from_stage] if isinstance(item, Run) else []


def _find_target(stages: Sequence[Stage], target: str) -> int:
    if not target:
        return len(stages) - 1
    found = find_stage(stages, target)
    if found is None:
        names = ", ".join(stage.start.stage_name for stage in stages if stage.start.stage_name)
        raise NotFoundError(
            f"target stage `{target}` could not be found", hint=f"the stages are {names}" if names else None
        )
    return found


def _order(stages: Sequence[Stage], wanted: int) -> tuple[int, ...]:
    """The stages that `wanted` needs and itself; a stage needs earlier ones only."""
    needed = {wanted}
    for number in range(wanted, -1, -1):
        if number in needed:
            needed |= stages[number].needs
    return tuple(sorted(needed))
