"""`labbox attach`."""

from labbox.cli.attaching import carry, check_terminal, exit_code_of, read_detach_keys
from labbox.cli.container_flags import DETACH_KEYS_FLAG, SIGNAL_PROXY_FLAG
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.session import open_engine
from labbox.errors import ConflictError

COMMAND = Command(
    name="attach",
    usage="CONTAINER",
    summary="Attach local standard input, output, and error streams to a running container",
    flags=(DETACH_KEYS_FLAG, Flag("no-stdin", "", "Do not attach STDIN"), SIGNAL_PROXY_FLAG),
    minimum=1,
    maximum=1,
    aliases=("container attach",),
)


def execute(arguments: Arguments) -> int:
    """Stay with a running container until it ends; its exit code is ours."""
    detach_keys = read_detach_keys(arguments)
    engine = open_engine()
    name = arguments.positionals[0]
    container = engine.find(name)
    if not container.is_running:
        raise ConflictError(
            "You cannot attach to a stopped container, start it first", hint=f"use `labbox start --attach {name}`"
        )
    terminal = container.spec.terminal
    stdin = container.spec.open_stdin and not arguments.switch("no-stdin")
    check_terminal(terminal=terminal, stdin=stdin)
    streams = ("stdin", "stdout", "stderr") if stdin else ("stdout", "stderr")
    with engine.attach(container) as connection:
        connection.hello(attach=("stdout", "stderr"), stdin=stdin)
        outcome = carry(
            connection,
            streams=streams,
            terminal=terminal,
            detach_keys=detach_keys,
            proxy_signals=arguments.switch("sig-proxy") and not terminal,
        )
    return exit_code_of(outcome, engine, container)
