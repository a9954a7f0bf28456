"""`labbox login`."""

import os
import sys

from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.output import note
from labbox.errors import LabboxError

COMMAND = Command(
    name="login",
    usage="[SERVER]",
    summary="Authenticate to a registry",
    flags=(
        Flag("insecure", "", "Speak to the registry without TLS, or with any certificate"),
        Flag("password", "string", "Password or access token (others can see it: better --password-stdin)", short="p"),
        Flag("password-stdin", "", "Take the password from stdin"),
        Flag("username", "string", "Username", short="u"),
    ),
    maximum=1,
    description="Defaults to Docker Hub if no server is specified.",
)


def execute(arguments: Arguments) -> int:
    """Ask for what was not given, try it, and keep it."""
    from labbox.actions.login import log_in
    from labbox.cli.registry_names import parse_server
    from labbox.registry.credentials import Login

    registry = parse_server(arguments.positionals)._replace(is_insecure=arguments.switch("insecure"))
    username, password = _read_login(arguments)
    path = log_in(registry, Login(username, password), os.environ)
    if path:
        note(
            f"\nWARNING! Your credentials are stored unencrypted in '{path}'.\n"
            "Configure a credential helper to remove this warning. See\n"
            "https://docs.docker.com/go/credential-store/\n"
        )
    print("Login Succeeded")
    return 0


def _read_login(arguments: Arguments) -> tuple[str, str]:
    username, password = arguments.text("username"), arguments.text("password")
    if arguments.switch("password-stdin"):
        if password is not None:
            raise LabboxError("conflicting options: cannot specify both --password and --password-stdin")
        if not username:
            raise LabboxError("the --password-stdin option requires --username to be set")
        password = sys.stdin.read().rstrip("\r\n")
    elif password is not None:
        note("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
    if username is None or password is None:
        if not sys.stdin.isatty():
            raise LabboxError("Cannot perform an interactive login from a non TTY device")
        username = username or input("Username: ").strip()
        password = password or _ask_password()
    if not username or not password:
        raise LabboxError("username and password must not be empty" if username else "username is required")
    return username, password


def _ask_password() -> str:
    import getpass

    return getpass.getpass("Password: ")
