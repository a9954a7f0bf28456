import os

import pytest

from harness.laboratory import Lab
from harness.modes import only_root
from labbox.testing.tiny_image import write_tiny_image


@only_root
@pytest.mark.parametrize("prefer_busybox", [True, False], ids=["busybox", "host-programs"])
def test_the_tiny_image_has_a_shell_users_and_files(lab: Lab, prefer_busybox: bool) -> None:  # noqa: FBT001  (a case)
    path = os.path.join(lab.folder("archives"), "other.tar")
    with open(path, "wb") as file:
        write_tiny_image(file, prefer_busybox=prefer_busybox)
    lab.output("import", path, "other")

    shown = lab.output("run", "--rm", "-u", "developer", "other", "sh", "-c", "id -u; cat /data/link; ls -d /tmp")

    assert shown.split("\n") == ["1000", "hello", "/tmp"]
    lab.output("rmi", "other")
