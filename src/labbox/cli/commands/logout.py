"""`labbox logout`."""

import os

from labbox.cli.flags import Arguments, Command

COMMAND = Command(
    name="logout",
    usage="[SERVER]",
    summary="Log out from a registry",
    maximum=1,
    description="Defaults to Docker Hub if no server is specified.",
)


def execute(arguments: Arguments) -> int:
    """Forget the credentials for a registry."""
    from labbox.actions.login import log_out
    from labbox.cli.registry_names import parse_server

    registry = parse_server(arguments.positionals)
    if log_out(registry, os.environ):
        print(f"Removing login credentials for {registry.credential_key}")
    else:
        print(f"Not logged in to {registry.credential_key}")
    return 0
