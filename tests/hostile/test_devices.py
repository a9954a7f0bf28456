"""Device nodes that a container makes or brings along do not open the host's devices."""

import pytest

from harness.laboratory import TINY, Lab
from harness.modes import only_root

pytestmark = only_root


def a_node_of(place: str) -> str:
    return f"mknod {place}/disk b 254 0 && dd if={place}/disk of=/dev/null bs=512 count=1"


@pytest.mark.parametrize("place", ["/tmp", "/dev", "/dev/shm"])
def test_a_device_node_made_inside_cannot_be_opened(lab: Lab, place: str) -> None:
    result = lab.run(TINY, "sh", "-c", a_node_of(place))
    assert result.returncode != 0
    assert "Permission denied" in result.stderr


def test_a_device_node_made_in_a_mounted_folder_cannot_be_opened(lab: Lab) -> None:
    result = lab.run("-v", "nodes:/nodes", TINY, "sh", "-c", a_node_of("/nodes"))
    assert result.returncode != 0
    assert "Permission denied" in result.stderr


def test_a_device_of_the_host_that_was_asked_for_works(lab: Lab) -> None:
    result = lab.run("-v", "/dev/zero:/asked", TINY, "head", "-c", "3", "/asked")
    assert result.stdout == "\0\0\0"
