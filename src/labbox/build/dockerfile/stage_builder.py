"""One stage, from where it starts to its last instruction."""

import os
import posixpath
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from labbox.build.dockerfile.cache import StepRecord, step_key
from labbox.build.dockerfile.copy_step import plan_copy
from labbox.build.dockerfile.copying import make_folder
from labbox.build.dockerfile.failures import StepError
from labbox.build.dockerfile.instructions import (
    Arg,
    Configure,
    Copy,
    From,
    Instruction,
    Maintainer,
    Run,
    WorkingDirectory,
)
from labbox.build.dockerfile.parsing import parse_trigger
from labbox.build.dockerfile.run_step import plan_run
from labbox.build.dockerfile.stages import BuildPlan, Stage, find_stage
from labbox.build.dockerfile.workroom import StageImage, Workroom
from labbox.engine.embedded.timestamps import format_nanoseconds
from labbox.errors import LabboxError
from labbox.oci import media_types
from labbox.oci.config import History, ImageConfig, encode_config
from labbox.oci.config_changes import apply_changes
from labbox.oci.descriptor import Descriptor
from labbox.oci.digest import Digest
from labbox.oci.platform import machine_platform
from labbox.oci.shell_words import expand_word
from labbox.store.tar_writer import PackedTree

_COMMENT = "labbox"
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """The image so far, and what the stage's instructions have said besides."""

    image: StageImage
    arguments: Mapping[str, str]
    has_cmd: bool = False

    @property
    def below(self) -> tuple[Digest, ...]:
        """The layers so far, lowest first."""
        return self.image.config.diff_ids

    @property
    def variables(self) -> dict[str, str]:
        """What names mean: the image's environment hides the build's arguments."""
        environment = dict(entry.partition("=")[::2] for entry in self.image.config.environment)
        return {**self.arguments, **environment}


def build_stage(room: Workroom, plan: BuildPlan, stage: Stage, made: Mapping[int, StageImage]) -> StageImage:
    """The stage's image; `made` are those it needs. Raises StepError naming the line of the step that failed."""
    return _StageBuilder(room, plan, stage, made).build()


class _StageBuilder:
    """Runs the instructions one after another."""

    def __init__(self, room: Workroom, plan: BuildPlan, stage: Stage, made: Mapping[int, StageImage]) -> None:
        self._room = room
        self._plan = plan
        self._stage = stage
        self._made = made
        self._number = 0
        self._total = len(stage.instructions) + 1

    def build(self) -> StageImage:
        base = self._guarded(self._stage.start, self._start)
        triggers = [self._guarded(self._stage.start, partial(parse_trigger, text)) for text in base.config.on_build]

        state = _State(image=replace(base, config=base.config._replace(on_build=())), arguments={})
        self._total += len(triggers)
        for instruction in (*triggers, *self._stage.instructions):
            state = self._guarded(instruction, partial(self._step, instruction, state))
        return state.image

    def _start(self) -> StageImage:
        stage = self._stage
        self._announce(stage.start, is_cached=stage.base is not None)
        if stage.base is not None:
            return self._made[stage.base]
        if stage.image == "scratch":
            return StageImage(config=ImageConfig(machine_platform(os.uname().machine)), layers=())
        platform = expand_word(stage.start.platform, self._plan.global_arguments, escape=self._room.escape)
        return self._room.find_image(stage.image, platform)

    def _step(self, item: Instruction, state: _State) -> _State:
        match item:
            case Arg():
                return self._declare(item, state)
            case Configure():
                return self._configure(item, state)
            case Maintainer():
                author = expand_word(item.author, state.variables, escape=self._room.escape)
                return self._set(item, state, state.image.config._replace(author=author))
            case WorkingDirectory():
                return self._enter_folder(item, state)
            case Run():
                return self._run(item, state)
            case Copy():
                return self._copy(item, state)
            case From():
                raise AssertionError("a stage has one FROM")

    def _declare(self, item: Arg, state: _State) -> _State:
        arguments = dict(state.arguments)
        for name, default in item.pairs:
            scope = {**arguments, **state.variables}
            if name in self._room.build_arguments:
                arguments[name] = self._room.build_arguments[name]
            elif default is not None:
                arguments[name] = expand_word(default, scope, escape=self._room.escape)
            elif name in self._plan.global_arguments:
                arguments[name] = self._plan.global_arguments[name]
        state = self._set(item, state, state.image.config)
        return replace(state, arguments=arguments)

    def _configure(self, item: Configure, state: _State) -> _State:
        config = apply_changes(
            state.image.config,
            [item.text],
            arguments=state.arguments,
            escape=self._room.escape,
            has_cmd=state.has_cmd,
        )
        state = self._set(item, state, config)
        return replace(state, has_cmd=state.has_cmd or item.statement.name == "CMD")

    def _enter_folder(self, item: WorkingDirectory, state: _State) -> _State:
        config = state.image.config
        text = expand_word(item.path, state.variables, escape=self._room.escape)
        path = posixpath.normpath(posixpath.join("/", config.working_dir, text))
        state = replace(state, image=replace(state.image, config=config._replace(working_dir=path)))
        key = step_key(state.below, "WORKDIR", path, config.user, self._room.epoch)
        return self._layered(
            item,
            state,
            key,
            lambda: self._room.layerer.make(state.below, lambda tree: make_folder(tree, path, config.user)),
        )

    def _run(self, item: Run, state: _State) -> _State:
        step = plan_run(self._room, self._find_origin, item, state.image.config, state.arguments)
        return self._layered(
            item,
            state,
            step_key(state.below, "RUN", step.said, self._room.epoch),
            lambda: step.execute(state.below, lambda data: self._room.report.output(self._stage.name, data)),
            created_by=step.created_by,
        )

    def _copy(self, item: Copy, state: _State) -> _State:
        step = plan_copy(self._room, self._find_origin, item, state.variables, state.image.config.working_dir)
        key = step_key(state.below, "COPY", step.said, self._room.epoch)
        return self._layered(item, state, key, lambda: step.execute(state.below))

    def _find_origin(self, name: str) -> StageImage:
        """What `--from` names: a stage, or an image."""
        number = find_stage(self._plan.stages[: self._stage.number], name)
        return self._made[number] if number is not None else self._room.find_image(name, "")

    def _set(self, item: Instruction, state: _State, config: ImageConfig) -> _State:
        """A step that makes no layer; it is in the cache for the time it was first made."""
        before = encode_config(state.image.config._replace(history=(), created="")).decode()
        key = step_key(state.below, "SET", item.statement.written, before, dict(state.arguments), self._room.epoch)
        state = replace(state, image=replace(state.image, config=config))
        return self._layered(item, state, key, lambda: None)

    def _layered(
        self,
        item: Instruction,
        state: _State,
        key: str,
        make: Callable[[], PackedTree | None],
        *,
        created_by: str = "",
    ) -> _State:
        """The state after a step whose layer comes from the cache or is made now."""
        cache, layers = self._room.cache, self._room.layerer.layers
        record = cache.find(key)
        self._announce(item, is_cached=record is not None)
        if record is None:
            packed = make()
            diff_id = packed.diff_id if packed is not None and packed.entry_count else None
            record = StepRecord(created=self._now(), diff_id=diff_id)
            cache.keep(key, record)
        config, descriptors = state.image.config, state.image.layers
        history = History(
            created=record.created,
            created_by=created_by or item.statement.written,
            comment=_COMMENT,
            empty_layer=record.diff_id is None,
        )
        if record.diff_id is None:
            config = config._replace(history=(*config.history, history))
        else:
            config = config.with_layer(record.diff_id, history)
            size = layers.record(record.diff_id).tar_bytes
            descriptors = (*descriptors, Descriptor(media_types.OCI_LAYER, record.diff_id, size))
        config = config._replace(created=record.created)
        return replace(state, image=StageImage(config=config, layers=descriptors))

    def _now(self) -> str:
        epoch = self._room.epoch
        return format_nanoseconds(time.time_ns() if epoch is None else epoch * 10**9)

    def _announce(self, item: Instruction, *, is_cached: bool) -> None:
        self._number += 1
        self._room.report.step(self._stage.name, self._number, self._total, item.statement.written, is_cached=is_cached)

    def _guarded(self, item: Instruction, work: Callable[[], _Result]) -> _Result:
        """Call `work`; what fails names the line."""
        statement = item.statement
        place = f"{self._room.file_name}:{statement.line}" if statement.line else f"ONBUILD of {self._stage.image}"
        try:
            return work()
        except StepError:
            raise
        except LabboxError as error:
            raise StepError(f"{place}: {statement.written}: {error.message}", hint=error.hint) from error
        except OSError as error:
            raise StepError(f"{place}: {statement.written}: {error}") from error
