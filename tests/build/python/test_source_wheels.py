import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator

import pytest

from build.python.labs_with_python import forget_systems, have_system, run_program, skip_without_index
from harness.laboratory import Lab
from harness.modes import only_root

pytestmark = pytest.mark.timeout(600)

# A backend in the source itself needs nothing from an index. What it writes shows where, when and in which order.
_BACKEND = """
import os, time, zipfile
def get_requires_for_build_wheel(config_settings=None):
    return []
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    info = "tiny-1.0.dist-info"
    files = {
        "tiny.py": "folder = %r\\nhashes = %r\\nepoch = %r\\n"
        % (os.getcwd(), hash("x"), os.environ["SOURCE_DATE_EPOCH"]),
        info + "/METADATA": "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n",
        info + "/WHEEL": "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        info + "/RECORD": "",
    }
    with zipfile.ZipFile(os.path.join(wheel_directory, "tiny-1.0-py3-none-any.whl"), "w") as archive:
        for name in files:
            archive.writestr(zipfile.ZipInfo(name, time.gmtime()[:6]), files[name])
    return "tiny-1.0-py3-none-any.whl"
"""
_PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@pytest.fixture
def room(lab: Lab) -> Iterator[Lab]:
    skip_without_index()
    yield lab
    forget_systems(lab)


@pytest.fixture
def archive() -> bytes:
    """The source archive of a project without needs."""
    data = io.BytesIO()
    files = {"pyproject.toml": _PROJECT, "backend.py": _BACKEND, "PKG-INFO": "Name: tiny\nVersion: 1.0\n"}
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"tiny-1.0/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return data.getvalue()


@pytest.fixture
def address(archive: bytes) -> Iterator[str]:
    """The archive on a server of this host's loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = archive if self.path.endswith(".tar.gz") else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/files/tiny-1.0.tar.gz"
        server.shutdown()
        thread.join()


def test_a_source_becomes_the_same_wheel_again_in_every_mode(room: Lab, archive: bytes, address: str) -> None:
    image = have_system(room, "debian:13", "python3,ca-certificates")
    index = address.partition("/files")[0]
    result = run_program(
        room, "program_source", image, address, hashlib.sha256(archive).hexdigest(), PIP_EXTRA_INDEX_URL=index
    )
    assert result["file"] == "tiny-1.0-py3-none-any.whl"
    assert result["source"]
    assert result["same"]
    assert "built again from" in result["refused"]
    assert "and the lock says 000" in result["refused"]
    assert result["no_python"] == "the system has no `python4`"
    assert result["left"] == []


@only_root
def test_requirements_are_resolved_for_python_2(room: Lab) -> None:
    image = have_system(room, "debian:11", "python2.7,ca-certificates")
    room.write("more.txt", "simplegeneric==0.8.1\n")
    path = room.write("requirements.txt", "-r more.txt\nmock==3.0.5  # needs funcsigs and six\n")

    result = run_program(room, "program_legacy", image, path, "six<1.17")

    wheels = {wheel["name"]: wheel for wheel in result["wheels"]}
    assert (result["abi"], result["glibc"]) == ("cp27mu", [2, 31])
    assert set(wheels) == {"funcsigs", "mock", "simplegeneric", "six"}
    assert wheels["six"]["version"] == "1.16.0"
    assert wheels["six"]["url"].endswith("/six-1.16.0-py2.py3-none-any.whl")
    assert wheels["simplegeneric"]["file"] == "simplegeneric-0.8.1-py2-none-any.whl"
    assert wheels["simplegeneric"]["source"].endswith("/simplegeneric-0.8.1.zip")
    assert [wheel["name"] for wheel in result["wheels"] if wheel["source"]] == ["simplegeneric"]
    assert all(wheel["cached"] for wheel in result["wheels"])
    assert "six==0.0.1" in result["refused"]
