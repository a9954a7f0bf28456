"""devcontainer.json becomes a lab, as far as a lab has a place for what it says."""

import pytest

from labbox.definition.devcontainer import read_devcontainer
from labbox.definition.values import Definition
from labbox.errors import UsageError

NAME = ".devcontainer/devcontainer.json"


def read(text: str, name: str = NAME) -> Definition:
    return read_devcontainer(text, Definition(name="folder"), name)


def test_a_devcontainer_is_read() -> None:
    definition = read("""
// See https://containers.dev
{
  "name": "Python",
  "build": { "dockerfile": "Dockerfile", "args": { "A": "1" } }, /* built here */
  "forwardPorts": [8888, 5000, "db:5432",],
  "mounts": [
    "source=${localEnv:HOME}/data,target=/data,type=bind,readonly",
    "source=cache,target=/cache,type=volume",
    { "source": "${localWorkspaceFolder}/x", "target": "/x", "type": "bind" },
    "source=${devcontainerId},target=/id,type=volume"
  ],
  "containerEnv": { "A": "1", "ROOT": "${containerWorkspaceFolder}/src" },
  "remoteEnv": { "URL": "http://example.org // no comment", "PATH": "${containerEnv:PATH}:/x" },
  "onCreateCommand": "make first",
  "postCreateCommand": { "install": ["pip", "install", "a b"] },
  "customizations": {},
  "features": {},
}
""")

    assert definition.system == "./.devcontainer/Dockerfile"
    assert definition.container.ports == ("5000:5000",)
    assert definition.container.mounts == ("~/data:/data:ro", "cache:/cache", "./x:/x")
    assert definition.container.environment == (
        ("A", "1"),
        ("ROOT", "/workspace/src"),
        ("URL", "http://example.org // no comment"),
    )
    assert definition.after_create == ("make first", "pip install 'a b'")
    assert definition.notes == (
        (
            f"In `{NAME}` these are not understood: `features`, `build.args`, `remoteEnv.PATH`, `mounts[3]`, "
            '`forwardPorts "db:5432"`.'
        ),
    )


def test_an_image_is_the_system() -> None:
    assert read('{"image": "mcr.microsoft.com/devcontainers/python:3.12"}').system.endswith("python:3.12")


def test_a_dockerfile_outside_the_project_is_refused() -> None:
    with pytest.raises(UsageError, match=r"build\.dockerfile: expected a file inside the project folder"):
        read('{"build": {"dockerfile": "../../Dockerfile"}}')


def test_a_context_other_than_the_dockerfiles_folder_is_named() -> None:
    assert "`build.context`" in read('{"build": {"dockerfile": "Dockerfile", "context": ".."}}').notes[0]
    assert read('{"build": {"dockerfile": "../Dockerfile", "context": ".."}}').notes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"image": }', r"as JSON: .*line 1 column 11"),
        ("[]", "expected an object, got a list"),
        ('{"image": "Upper"}', "image: expected an image reference"),
        ('{"mounts": "x", "remoteEnv": []}', "mounts: expected a list"),
    ],
)
def test_faults_are_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(text)
