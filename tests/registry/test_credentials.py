import base64
import json
import os
import stat
from pathlib import Path

import pytest

from labbox.errors import RegistryError
from labbox.registry.address import RegistryAddress
from labbox.registry.credentials import CredentialStore, Login

HUB = RegistryAddress("docker.io")
LAB = RegistryAddress("lab.example:5000")
HELPER = """#!/bin/sh
case "$1" in
get) read -r server
  if [ -e "$HOME/kept" ] && grep -q "\\"$server\\"" "$HOME/kept"; then cat "$HOME/kept"
  else echo "credentials not found in native keychain"; exit 1; fi ;;
store) cat > "$HOME/kept" ;;
erase) rm -f "$HOME/kept" ;;
esac
"""


def pair(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".docker").mkdir()
    (tmp_path / "bin").mkdir()
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}"}


def write(home: Path, document: object, path: str = ".docker/config.json") -> None:
    (home / path).parent.mkdir(parents=True, exist_ok=True)
    (home / path).write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("https://index.docker.io/v1/", HUB),
        ("docker.io", HUB),
        ("lab.example:5000", LAB),
        ("https://lab.example:5000", LAB),
        ("https://lab.example:5000/v2/", LAB),
    ],
)
def test_dockers_file_is_read(home: Path, key: str, registry: RegistryAddress) -> None:
    write(home, {"auths": {key: pair("alice:a:b")}})

    assert CredentialStore(environment(home)).find(registry) == Login("alice", "a:b")


@pytest.mark.parametrize("key", ["lab.example", "lab.example:50000", "evil-lab.example:5000", "lab.example:5000.evil"])
def test_credentials_of_another_host_are_not_taken(home: Path, key: str) -> None:
    write(home, {"auths": {key: pair("alice:secret")}})

    assert CredentialStore(environment(home)).find(LAB) is None


def test_an_identity_token_is_read(home: Path) -> None:
    write(home, {"auths": {"lab.example:5000": {**pair("alice:"), "identitytoken": "rt-1"}}})

    assert CredentialStore(environment(home)).find(LAB) == Login("alice", "", "rt-1")


def test_podmans_file_is_read_and_its_longest_path_wins(home: Path) -> None:
    auths = {"lab.example:5000": pair("all:1"), "lab.example:5000/team": pair("team:2")}
    write(home, {"auths": auths}, ".config/containers/auth.json")
    store = CredentialStore(environment(home))

    assert store.find(LAB, "team/tool") == Login("team", "2")
    assert store.find(LAB, "teams/tool") == Login("all", "1")


def test_the_file_that_a_variable_names_comes_first(home: Path) -> None:
    write(home, {"auths": {"lab.example:5000": pair("docker:1")}})
    write(home, {"auths": {"lab.example:5000": pair("named:2")}}, "named.json")

    found = CredentialStore({**environment(home), "REGISTRY_AUTH_FILE": f"{home}/named.json"}).find(LAB)

    assert found == Login("named", "2")


def test_what_is_kept_is_found_and_the_rest_of_the_file_stays(home: Path) -> None:
    write(home, {"auths": {"other": pair("bob:1")}, "proxies": {"default": {}}, "HttpHeaders": {"a": "b"}})
    store = CredentialStore(environment(home))

    path = store.keep(LAB, Login("alice", "secret"))

    assert path == f"{home}/.docker/config.json"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    assert document["proxies"] == {"default": {}}
    assert document["HttpHeaders"] == {"a": "b"}
    assert store.find(LAB) == Login("alice", "secret")
    assert store.forget(LAB)
    assert store.find(LAB) is None
    assert not store.forget(LAB)
    assert store.find(RegistryAddress("other")) == Login("bob", "1")


@pytest.mark.parametrize("choice", [{"credsStore": "test"}, {"credHelpers": {"lab.example:5000": "test"}}])
def test_a_helper_keeps_gives_and_forgets(home: Path, choice: dict[str, object]) -> None:
    helper = home / "bin/docker-credential-test"
    helper.write_text(HELPER, encoding="utf-8")
    helper.chmod(0o755)
    write(home, choice)
    store = CredentialStore(environment(home))

    assert store.find(LAB) is None
    assert store.keep(LAB, Login("alice", "secret")) == ""
    assert "secret" not in (home / ".docker/config.json").read_text(encoding="utf-8")
    assert store.find(LAB) == Login("alice", "secret")
    assert store.forget(LAB)
    assert store.find(LAB) is None


def test_a_missing_helper_is_named(home: Path) -> None:
    write(home, {"credsStore": "nowhere"})

    with pytest.raises(RegistryError, match="`docker-credential-nowhere` is not installed"):
        CredentialStore(environment(home)).find(LAB)


@pytest.mark.parametrize("text", ["{", "[]", '"x"'])
def test_a_damaged_file_is_named_and_not_overwritten(home: Path, text: str) -> None:
    path = home / ".docker/config.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(RegistryError, match="cannot read credentials"):
        CredentialStore(environment(home)).keep(LAB, Login("alice", "secret"))
    assert path.read_text(encoding="utf-8") == text
