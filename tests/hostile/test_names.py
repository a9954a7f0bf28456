"""Names and ids that are paths: refused, and nothing moves."""

import os

import pytest

from harness.laboratory import TINY, Lab

NAMES = ("..", ".", "../..", "../../data", "/..", "names", "names/../..", "a/b", "-x", "", " ", "a\nb", "é", "x" * 300)


@pytest.mark.parametrize(
    "verb", ["start", "stop", "kill", "rm", "inspect", "logs", "wait", "exec", "top", "diff", "export"]
)
def test_no_verb_follows_a_path(lab: Lab, verb: str) -> None:
    lab.output("create", "--name", "bystander", TINY, "true")
    before = _names_below(lab.home)

    for name in NAMES:
        if name.startswith("-"):
            continue
        done = lab(verb, name, *(["true"] if verb == "exec" else []))
        assert done.returncode != 0, name
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr, name

    assert _names_below(lab.home) == before


@pytest.mark.parametrize("name", ["..", "../x", "a/b", ".hidden", "-x", "a b", "x" * 300, "é", "a\nb"])
def test_such_a_name_is_given_to_nothing(lab: Lab, name: str) -> None:
    before = _names_below(lab.home)

    for command in (
        ["create", f"--name={name}", TINY, "true"],
        ["volume", "create", "--", name],
        ["run", "-v", f"{name}:/v", TINY, "true"],
    ):
        if command[0] == "run" and name == "..":
            continue  # the folder above is a folder of the host like any other
        done = lab(*command)
        assert done.returncode != 0, command
        assert "internal error" not in done.stderr, command

    assert _names_below(lab.home) == before


@pytest.mark.parametrize(
    "reference", ["../x", "a/../b:1", "tiny@sha256:../../x", "TINY", "tiny:" + "x" * 200, "/", "tiny:../x"]
)
def test_no_reference_is_a_path(lab: Lab, reference: str) -> None:
    for command in (
        ["run", reference, "true"],
        ["tag", TINY, reference],
        ["rmi", reference],
        ["image", "inspect", reference],
    ):
        done = lab(*command)
        assert done.returncode != 0, command
        assert "internal error" not in done.stderr, command


def _names_below(home: str) -> set[str]:
    found = set()
    for folder, folders, names in os.walk(os.path.join(home, "data")):
        folders[:] = [name for name in folders if name not in ("blobs", "layers", "cache")]
        found |= {os.path.join(folder, name) for name in names}
    return {path for path in found if not path.endswith("lock")}
