"""`labbox start`."""

from labbox.cli.attaching import carry, exit_code_of, read_detach_keys
from labbox.cli.container_flags import DETACH_KEYS_FLAG
from labbox.cli.failures import for_each
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.report import print_failure
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import EngineError, LabboxError

COMMAND = Command(
    name="start",
    usage="CONTAINER [CONTAINER...]",
    summary="Start one or more stopped containers",
    flags=(
        Flag("attach", "", "Attach STDOUT/STDERR and forward signals", short="a"),
        DETACH_KEYS_FLAG,
        Flag("interactive", "", "Attach container's STDIN", short="i"),
    ),
    minimum=1,
    aliases=("container start",),
)


def execute(arguments: Arguments) -> int:
    """Start containers and print their names, or stay attached to one."""
    engine = open_engine()
    if arguments.switch("attach") or arguments.switch("interactive"):
        if len(arguments.positionals) > 1:
            raise LabboxError("you cannot start and attach multiple containers at once")
        return _start_attached(engine, arguments)
    return for_each(arguments.positionals, lambda name: _start(engine, name))


def _start(engine: EmbeddedEngine, name: str) -> None:
    container = engine.find(name)
    if container.is_running:
        return
    connection, failure = engine.start(container)
    with connection:
        if failure is not None:
            raise EngineError(failure.message, exit_code=1)


def _start_attached(engine: EmbeddedEngine, arguments: Arguments) -> int:
    container = engine.find(arguments.positionals[0])
    detach_keys = read_detach_keys(arguments)
    streams = ("stdin", "stdout", "stderr") if arguments.switch("interactive") else ("stdout", "stderr")
    if container.is_running:
        raise LabboxError("container is running already", hint=f"use `labbox attach {arguments.positionals[0]}`")
    connection, failure = engine.start(container, attach=("stdout", "stderr"), stdin="stdin" in streams)
    with connection:
        if failure is not None:
            print_failure(failure.message, None)
            return failure.code
        terminal = container.spec.terminal
        outcome = carry(
            connection, streams=streams, terminal=terminal, detach_keys=detach_keys, proxy_signals=not terminal
        )
    return exit_code_of(outcome, engine, container)
