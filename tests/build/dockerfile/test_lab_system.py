"""A lab's own Dockerfile as its system: noticed when it changes, and told when it cannot be built."""

import os
from pathlib import Path

from harness.laboratory import Lab
from harness.modes import only_root
from labbox.definition.values import Definition
from labbox.lock.lab_request import request_digest


def test_a_changed_dockerfile_makes_the_lock_out_of_date(tmp_path: Path) -> None:
    definition = Definition(name="x", system="./Dockerfile")
    digests = []
    for text in ("FROM a", "FROM b", "FROM a"):
        (tmp_path / "Dockerfile").write_text(text)
        digests.append(request_digest(definition, str(tmp_path)))

    assert digests[0] == digests[2] != digests[1]


@only_root
def test_a_system_that_cannot_be_built_says_where(lab: Lab) -> None:
    folder = lab.folder("own-system")
    with open(os.path.join(folder, "labbox.toml"), "w", encoding="utf-8") as file:
        file.write('[lab]\nname = "own"\nsystem = "./Dockerfile"\n[services]\njupyter = false\n')
    assert "Dockerfile" in lab("lock", folder, cwd=folder).stderr

    with open(os.path.join(folder, "Dockerfile"), "w", encoding="utf-8") as file:
        file.write("FROM tiny\nRUN echo reason; false\n")
    failed = lab("lock", cwd=folder)
    assert failed.returncode == 1
    assert "Dockerfile:2: RUN" in failed.stderr
    assert "reason" in failed.stderr
    assert not os.path.exists(os.path.join(folder, "labbox.lock"))

    with open(os.path.join(folder, "Dockerfile"), "w", encoding="utf-8") as file:
        file.write("FROM tiny\nRUN echo built > /built\n")
    refused = lab("lock", cwd=folder)  # tiny has neither glibc nor Python
    assert refused.returncode != 0
    assert lab.run("--entrypoint", "cat", "localhost/own-system", "/built").stdout == "built\n"
