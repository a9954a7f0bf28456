"""A program `docker-credential-NAME` that keeps credentials (github.com/docker/docker-credential-helpers)."""

import json
import subprocess
from collections.abc import Mapping

from labbox.errors import RegistryError

_SECONDS = 60
_NOT_FOUND = "credentials not found"


class CredentialHelper:
    """Calls the helper; secrets travel by its input and output only."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self._program = f"docker-credential-{name}"
        self._environment = environment

    def get(self, server: str) -> tuple[str, str] | None:
        """User and secret for a server, or None when the helper knows none; RegistryError when it fails."""
        done = self._call("get", server)
        if done.returncode != 0:
            if _NOT_FOUND in done.stdout.lower():
                return None
            raise self._failure("get", done)
        try:
            document = json.loads(done.stdout)
            user, secret = document["Username"], document["Secret"]
        except (ValueError, KeyError, TypeError) as error:
            raise RegistryError(f"`{self._program}` answers no credentials: {error}") from error
        return (user, secret) if user or secret else None

    def store(self, server: str, username: str, secret: str) -> None:
        """Keep credentials."""
        done = self._call("store", json.dumps({"ServerURL": server, "Username": username, "Secret": secret}))
        if done.returncode != 0:
            raise self._failure("store", done)

    def erase(self, server: str) -> None:
        """Forget credentials; unknown ones are no error."""
        done = self._call("erase", server)
        if done.returncode != 0 and _NOT_FOUND not in done.stdout.lower():
            raise self._failure("erase", done)

    def _call(self, verb: str, feed: str) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                [self._program, verb],
                input=feed,
                check=False,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                env=dict(self._environment),
            )
        except FileNotFoundError as error:
            raise RegistryError(
                f"`{self._program}` is not installed",
                hint="install it, or take `credsStore` out of docker's config.json",
            ) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RegistryError(f"`{self._program} {verb}` fails: {error}") from error

    def _failure(self, verb: str, done: "subprocess.CompletedProcess[str]") -> RegistryError:
        said = (done.stdout if verb == "get" else "") + done.stderr
        return RegistryError(f"`{self._program} {verb}` fails: {said.strip()[:200] or done.returncode}")
