from collections.abc import Iterator
from typing import Any

import pytest

from build.python.labs_with_python import forget_systems, have_system, run_program, skip_without
from harness.laboratory import Lab

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="session")
def seen() -> dict[str, Any]:
    """What the first mode gave: the others must give the same."""
    return {}


@pytest.fixture
def room(lab: Lab) -> Iterator[Lab]:
    skip_without()
    yield lab
    forget_systems(lab)


def test_compiled_layers_are_the_same_every_time_and_in_every_mode(room: Lab, seen: dict[str, Any]) -> None:
    result = run_program(room, "program_bytecode", have_system(room, "debian:13", "python3"))

    assert result["made"] == result["known"] == result["again"]
    assert seen.setdefault("made", result["made"]) == result["made"]
    assert len(result["made"]) == 2, "a layer without sources has none"
    assert result["stage"] == ["bytecode", 7, 7]
    site = "/opt/env/lib/python3.13/site-packages"
    environment, services = result["entries"]
    assert environment == [
        " 0:0 755",
        "/opt 0:0 755",
        "/opt/env 1000:1000 755",
        "/opt/env/lib 1000:1000 755",
        "/opt/env/lib/python3.13 1000:1000 755",
        f"{site} 1000:1000 755",
        f"{site}/__pycache__ 1000:1000 755",
        f"{site}/__pycache__/single.cpython-313.pyc 1000:1000 644",
        f"{site}/pkg 1000:1000 755",
        f"{site}/pkg/__pycache__ 1000:1000 755",
        *(f"{site}/pkg/__pycache__/{name}.cpython-313.pyc 1000:1000 644" for name in ("__init__", "latin", "words")),
    ]
    assert services[-1] == "/opt/labbox/lib/python3.13/site-packages/__pycache__/tool.cpython-313.pyc 0:0 644"
    assert result["code"] == 0, result["output"]
    assert result["matches"] == 4, "pkg, pkg.words, pkg.latin and single are loaded from their compiled files"
