"""RUN as one step: its command, what it sees, what it depends on, and the layer it makes."""

import json
import os
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from labbox.build.dockerfile.failures import StepError
from labbox.build.dockerfile.instructions import Run
from labbox.build.dockerfile.mount_step import PreparedMount, prepare_mount
from labbox.build.dockerfile.running import Output, RunTask, run_command
from labbox.build.dockerfile.workroom import StageImage, Workroom
from labbox.engine.specification import Mount
from labbox.oci.config import ImageConfig
from labbox.oci.digest import Digest
from labbox.store.tar_writer import PackedTree

_DEFAULT_SHELL = ("/bin/sh", "-c")
_PROGRAM = "/dev/pipes/EOF"
_SHOWN_LINES = 20
# Arguments that every build has, and that are no part of what a step follows from.
_PROXIES = frozenset({"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"})
_NETWORKS = {"default": "", "none": "none", "host": "host"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """A step that can be run; `said` is all that its layer follows from besides the layers below."""

    said: str
    created_by: str
    task: RunTask
    mounts: tuple[PreparedMount, ...]
    room: Workroom
    place: str

    def execute(self, below: Sequence[Digest], write: Output) -> PackedTree | None:
        """The layer; raises StepError with the command's last output when it fails."""
        room = self.room
        with ExitStack() as opened:
            provided = [opened.enter_context(mount.provide()) for mount in self.mounts]
            task = replace(
                self.task,
                environment=(*self.task.environment, *(text for each in provided for text in each.environment)),
                mounts=(*self.task.mounts, *(mount for each in provided for mount in each.mounts)),
            )
            finished = run_command(room.engine, room.layerer, below, task, room.environment, write)
        if finished.code:
            lines = finished.tail.decode("utf-8", "replace").rstrip("\n").split("\n")[-_SHOWN_LINES:]
            shown = "".join(f"\n  {line}" for line in lines if line)
            raise StepError(
                f"{self.place}: process {json.dumps(shlex.join(task.command))} did not complete successfully: "
                f"exit code: {finished.code}{shown}"
            )
        return finished.layer


def plan_run(
    room: Workroom,
    find_origin: Callable[[str], StageImage],
    item: Run,
    config: ImageConfig,
    arguments: Mapping[str, str],
) -> RunStep:
    """The step with its command, environment and mounts."""
    names = {entry.partition("=")[0] for entry in config.environment}
    own = {name: value for name, value in arguments.items() if name not in names}
    proxies = {
        name: value
        for name, value in room.build_arguments.items()
        if name.lower() in _PROXIES and name not in own and name not in names
    }
    variables = {**arguments, **dict(entry.partition("=")[::2] for entry in config.environment)}
    parts = tuple(prepare_mount(room, find_origin, mount, variables) for mount in item.mounts)
    command, program = _command(room, item, config)
    network = _NETWORKS[item.network] or room.network
    task = RunTask(
        command=command,
        environment=(*config.environment, *(f"{name}={value}" for name, value in {**own, **proxies}.items())),
        working_dir=config.working_dir,
        user=config.user,
        network=network,
        privileged=item.security == "insecure",
        mounts=program,
    )
    said = [
        command, item.program, config.environment, own, config.working_dir, config.user, item.network, item.security,
        [part.said for part in parts],
    ]  # fmt: skip
    counted = [f"|{len(own)}", *(f"{name}={value}" for name, value in own.items())] if own else []
    return RunStep(
        said=json.dumps(said, sort_keys=True),
        created_by=" ".join(["RUN", *counted, *command]),
        task=task,
        mounts=parts,
        room=room,
        place=f"{room.file_name}:{item.statement.line}: {item.statement.written}",
    )


def _command(room: Workroom, item: Run, config: ImageConfig) -> tuple[tuple[str, ...], tuple[Mount, ...]]:
    """What is executed, and the mount that a here-document with its own `#!` needs."""
    if item.words is not None:
        return item.words, ()
    if not item.program:
        return (*(config.shell or _DEFAULT_SHELL), item.script), ()
    descriptor, path = tempfile.mkstemp(prefix="program-", dir=room.scratch)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(item.program)
    os.chmod(path, 0o755)
    return (_PROGRAM,), (Mount(kind="bind", source=path, target=_PROGRAM, read_only=True),)
