"""Credentials for registries as docker and podman keep them: files, credential helpers, the default store.

Looked for in $REGISTRY_AUTH_FILE; docker's config.json ($DOCKER_CONFIG or ~/.docker), where `credHelpers` comes before
`credsStore` before `auths`; podman's auth.json. Written to docker's alone, keeping what else it says.
"""

import base64
import binascii
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from labbox.errors import RegistryError
from labbox.files import locked, make_private_folder, write_atomic
from labbox.registry.address import RegistryAddress
from labbox.registry.credential_helper import CredentialHelper

_IDENTITY_USER = "<token>"  # helpers mark an identity token so (docker/cli, config/credentials/native_store.go)


class Login(NamedTuple):
    """A user with a password, or an identity token to trade for access tokens."""

    username: str
    password: str = ""
    identity_token: str = ""


class CredentialStore:
    """This user's credentials."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        home = environment.get("HOME") or os.path.expanduser("~")
        folder = environment.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
        self.path = os.path.join(folder, "config.json")
        self._paths = _search_path(environment, home, self.path)

    def find(self, registry: RegistryAddress, repository: str = "") -> Login | None:
        """The credentials for a registry (podman keeps some for a path in it), or None."""
        for path in self._paths:
            document = _read(path)
            login = self._find_in(document, registry, repository)
            if login is not None:
                return login
        return None

    def keep(self, registry: RegistryAddress, login: Login) -> str:
        """Keep credentials where docker would; the file's path, or empty when a helper keeps them."""
        key = registry.credential_key
        helper = self._helper(_read(self.path), [key])
        make_private_folder(os.path.dirname(self.path))
        if helper is not None:
            helper.store(
                key, _IDENTITY_USER if login.identity_token else login.username, login.identity_token or login.password
            )
            self._change(key, {})
            return ""
        pair = f"{login.username}:{'' if login.identity_token else login.password}"
        entry = {"auth": base64.b64encode(pair.encode()).decode()}
        if login.identity_token:
            entry["identitytoken"] = login.identity_token
        self._change(key, entry)
        return self.path

    def forget(self, registry: RegistryAddress) -> bool:
        """Remove credentials; False when there were none."""
        document = _read(self.path)
        auths = _objects(document, "auths")
        names = [key for key in auths if _normalise(key) in map(_normalise, registry.credential_names)]
        helper = self._helper(document, [registry.credential_key])
        was_known = bool(names) or (helper is not None and helper.get(registry.credential_key) is not None)
        if helper is not None:
            helper.erase(registry.credential_key)
        for name in names:
            self._change(name, None)
        return was_known

    def _find_in(self, document: Mapping[str, Any], registry: RegistryAddress, repository: str) -> Login | None:
        helper = self._helper(document, registry.credential_names)
        if helper is not None:
            for name in registry.credential_names:
                found = helper.get(name)
                if found is not None:
                    user, secret = found
                    return Login("", identity_token=secret) if user == _IDENTITY_USER else Login(user, secret)
        auths = {_normalise(key): entry for key, entry in _objects(document, "auths").items()}
        for name in _names_of(registry, repository):
            entry = auths.get(_normalise(name))
            login = _parse_login(entry) if isinstance(entry, dict) else None
            if login is not None:
                return login
        return None

    def _helper(self, document: Mapping[str, Any], names: Iterable[str]) -> CredentialHelper | None:
        helpers = _objects(document, "credHelpers")
        chosen = next((helpers[name] for name in names if name in helpers), document.get("credsStore"))
        return CredentialHelper(chosen, self._environment) if isinstance(chosen, str) and chosen else None

    def _change(self, key: str, entry: Mapping[str, str] | None) -> None:
        """Replace one entry of the file; nobody else of labbox changes it meanwhile."""
        folder = os.path.dirname(self.path)
        make_private_folder(folder)
        with locked(os.path.join(folder, ".labbox.lock")):
            document = _read(self.path)
            auths = dict(_objects(document, "auths"))
            if entry is None:
                auths.pop(key, None)
            else:
                auths[key] = entry
            path = os.path.realpath(self.path)  # a link stays one
            write_atomic(path, json.dumps({**document, "auths": auths}, indent="\t").encode())


def _search_path(environment: Mapping[str, str], home: str, docker: str) -> list[str]:
    paths = [environment.get("REGISTRY_AUTH_FILE"), docker]
    runtime = environment.get("XDG_RUNTIME_DIR")
    paths.append(os.path.join(runtime, "containers", "auth.json") if runtime else None)
    config = environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    paths.append(os.path.join(config, "containers", "auth.json"))
    return [path for path in paths if path]


def _names_of(registry: RegistryAddress, repository: str) -> list[str]:
    """`host/team/tool`, `host/team`, then the host's own names."""
    parts = repository.split("/") if repository else []
    longer = [f"{registry.domain}/{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1)]
    return [*longer, *registry.credential_names]


def _normalise(key: str) -> str:
    """A key without scheme and without the path of docker's old registries."""
    bare = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    return bare.removesuffix("/v1").removesuffix("/v2")


def _parse_login(entry: Mapping[str, Any]) -> Login | None:
    """An entry of `auths`; one that is empty stands for credentials in a helper."""
    username, password = entry.get("username") or "", entry.get("password") or ""
    text = entry.get("auth")
    if isinstance(text, str) and text:
        try:
            username, _, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
    token = entry.get("identitytoken") or ""
    if not username and not token:
        return None
    return Login(username, password.rstrip("\0"), token)


def _objects(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read() or b"{}")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError as error:
        raise RegistryError(
            f"cannot read credentials `{path}`: {error}", hint="correct the file, or log in again"
        ) from error
    if not isinstance(document, dict):
        raise RegistryError(f"cannot read credentials `{path}`: it is no JSON object")
    return document
