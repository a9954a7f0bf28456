"""`labbox port`."""

from labbox.cli.flags import Arguments, Command, parse_integer
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import print_json
from labbox.cli.session import open_engine
from labbox.engine.specification import PortBinding
from labbox.errors import NotFoundError, UsageError

COMMAND = Command(
    name="port",
    usage="CONTAINER [PRIVATE_PORT[/PROTO]]",
    summary="List port mappings or a specific mapping for the container",
    flags=(JSON_FLAG,),
    minimum=1,
    maximum=2,
    aliases=("container port",),
)


def execute(arguments: Arguments) -> int:
    """Print where the ports of a running container answer."""
    name, *wanted = arguments.positionals
    container = open_engine().find(name)
    ports = sorted(container.state.ports, key=lambda port: (port.container_port, port.protocol, port.host_address))
    if wanted:
        number, protocol = _parse_port(wanted[0])
        ports = [port for port in ports if (port.container_port, port.protocol) == (number, protocol)]
        if not ports:
            raise NotFoundError(f"No public port '{wanted[0]}' published for {name}")
    if arguments.switch("json"):
        print_json([port._asdict() for port in ports])
        return 0
    for port in ports:
        address = _show_address(port)
        print(address if wanted else f"{port.container_port}/{port.protocol} -> {address}")
    return 0


def _parse_port(text: str) -> tuple[int, str]:
    number, _, protocol = text.partition("/")
    try:
        return parse_integer(number), protocol or "tcp"
    except UsageError as error:
        raise UsageError(f"invalid port ({number}): {error.message}", exit_code=1) from error


def _show_address(port: PortBinding) -> str:
    host = f"[{port.host_address}]" if ":" in port.host_address else port.host_address
    return f"{host}:{port.host_port}"
