"""`labbox exec` once its process is under way: the container, the command, and staying with it."""

import os
import sys

from labbox.cli.attaching import check_terminal, read_detach_keys
from labbox.cli.flags import Arguments, check_count
from labbox.cli.session import open_engine
from labbox.cli.values.environment import check_variable, read_environment
from labbox.engine.embedded.departure import Departed
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.engine.specification import ExecSpec
from labbox.errors import NotFoundError


def execute_in_container(arguments: Arguments, early: Departed | None) -> int:
    """Run one more command in a container; the command's exit code is ours."""
    spec = _read_spec(arguments)
    detach_keys = read_detach_keys(arguments)
    check_terminal(terminal=spec.terminal, stdin=spec.open_stdin and not spec.detach)
    engine = open_engine()
    container, spec = _find(engine, arguments, spec)
    execution = engine.execute(container, spec, early)
    if spec.detach:
        return 0
    sys.stdout.flush()
    outcome = execution.proxy(stdin=0 if spec.open_stdin else None, stdout=1, stderr=2, detach_keys=detach_keys)
    if outcome.kind == "detached":
        print("read escape sequence", file=sys.stderr)
    return outcome.code


def _find(engine: EmbeddedEngine, arguments: Arguments, spec: ExecSpec) -> tuple[Container, ExecSpec]:
    """The container of the first word; where none has that name, the lab of this folder, and all words the command."""
    name, *command = arguments.positionals
    try:
        container = engine.find(name)
    except NotFoundError:
        from labbox.cli.lab_here import lab_container_here

        lab = lab_container_here(engine)
        if lab is None:
            check_count(arguments.command._replace(minimum=2), len(arguments.positionals))
            raise
        return lab, spec._replace(command=(name, *command))
    check_count(arguments.command._replace(minimum=2), len(arguments.positionals))
    return container, spec


def _read_spec(arguments: Arguments) -> ExecSpec:
    arguments.values("env", check_variable)
    return ExecSpec(
        command=arguments.positionals[1:],
        environment=tuple(read_environment(arguments.texts("env"), arguments.texts("env-file"), os.environ)),
        working_dir=arguments.text("workdir") or "",
        user=arguments.text("user") or "",
        terminal=arguments.switch("tty"),
        open_stdin=arguments.switch("interactive"),
        privileged=arguments.switch("privileged"),
        detach=arguments.switch("detach"),
    )
