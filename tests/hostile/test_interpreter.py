"""CVE-2019-5736 and its kind: a container must not overwrite the Python that started it, whoever owns it."""

import hashlib
import os
import shutil
from collections.abc import Iterator

import pytest

from harness.hostile_images import Entry, import_hostile
from harness.laboratory import HOST_PROGRAMS, TINY, Installation, Lab

PYTHON = "/usr/bin/python3"
# Holds the running interpreter, becomes another program, and opens what it holds for writing. A file on a read-only
# mount answers EROFS to O_TRUNC before the kernel looks whether it is being executed.
ATTACK = """\
import errno, os, sys
held = os.open("/proc/self/exe", os.O_PATH)
os.set_inheritable(held, True)
attempt = (
    "import errno, os\\n"
    "try: os.open('/proc/self/fd/%d', os.O_WRONLY | os.O_TRUNC); print('WRITABLE')\\n"
    "except OSError as error: print(errno.errorcode[error.errno])" % held
)
os.execv("/usr/bin/python3", ["python3", "-I", "-c", attempt])
"""


@pytest.fixture
def victim(lab: Lab) -> Iterator[str]:
    """The laboratory started by an interpreter that belongs to its person; at the end it must be what it was."""
    folder = lab.folder("python")
    path = os.path.join(folder, "python3")
    shutil.copyfile(os.path.realpath(PYTHON), path)
    os.chmod(path, 0o755)
    os.chown(path, lab.person.uid, lab.person.gid)
    before = _digest(path)
    installation = lab.installation
    lab.installation = Installation(installation.source, path, installation.archive)
    yield path
    lab.installation = installation
    assert _digest(path) == before


def test_the_command_proc_self_exe_cannot_write_the_interpreter(lab: Lab, victim: str) -> None:
    done = lab.run(*HOST_PROGRAMS, TINY, "/proc/self/exe", "-I", "-c", ATTACK)

    assert done.stdout.strip() == "EROFS", done.stderr
    assert "WRITABLE" not in done.stdout


def test_a_script_interpreted_by_proc_self_exe_cannot_write_it(lab: Lab, victim: str) -> None:
    image = import_hostile(lab, [Entry("evil", content=f"#!/proc/self/exe\n{ATTACK}".encode())])

    done = lab.run(*HOST_PROGRAMS, "--entrypoint", "/evil", image)

    assert done.stdout.strip() == "EROFS", done.stderr


@pytest.mark.parametrize("command", [["/proc/self/exe", "-I", "-c", ATTACK], ["/evil"]], ids=["exe", "script"])
def test_exec_of_proc_self_exe_cannot_write_it(lab: Lab, victim: str, command: list[str]) -> None:
    image = import_hostile(lab, [Entry("evil", content=f"#!/proc/self/exe\n{ATTACK}".encode())])
    lab.start("--name", "box", *HOST_PROGRAMS, image, "sleep", "1000")

    done = lab("exec", "box", *command)

    assert done.stdout.strip() == "EROFS", done.stderr


def test_process_one_shows_nothing_of_itself(lab: Lab, victim: str) -> None:
    script = (
        "for f in exe cwd root fd/0 environ mem maps; do cat /proc/1/$f 2>&1 | head -c 200; done; ls -l /proc/1 2>&1"
    )

    shown = lab.shell(script)

    assert victim not in shown
    assert "ELF" not in shown


def _digest(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
