import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labbox.errors import NotFoundError, UsageError
from labbox.lock.lab import LabLock, LockedImage
from labbox.lock.lab_file import format_lab_lock, parse_lab_lock, read_lab_lock, write_lab_lock
from lock.labs import make_lab_lock, make_locked_wheel

_LOCK = make_lab_lock()


def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(format_lab_lock(_LOCK))
    return document


def _parse(document: Any) -> LabLock:
    return parse_lab_lock(json.dumps(document).encode(), where="labbox.lock")


def test_a_lock_reads_as_it_was_written(tmp_path: Path) -> None:
    path = str(tmp_path / "labbox.lock")
    write_lab_lock(path, _LOCK)
    assert read_lab_lock(path) == _LOCK
    image = replace(_LOCK, system=LockedImage(name="ubuntu:24.04", digest=f"sha256:{'11' * 32}"), additions=())
    write_lab_lock(path, image)
    assert read_lab_lock(path) == image
    assert (tmp_path / "labbox.lock").stat().st_mode & 0o777 == 0o644


def test_every_package_has_a_line_of_its_own_so_that_differences_read_well() -> None:
    more = replace(_LOCK, packages=(*_LOCK.packages, make_locked_wheel("zz")))
    before, after = (set(format_lab_lock(lock).splitlines()) for lock in (_LOCK, more))
    assert len(after - before) <= 2


def test_a_system_of_an_image_needs_no_packages() -> None:
    document = _document()
    document["system"] = {"image": "ubuntu:24.04", "digest": "sha256:1"}
    with pytest.raises(UsageError, match=r'system\.digest: cannot be "sha256:1"'):
        _parse(document)


def test_all_faults_are_told_at_once_with_their_places() -> None:
    document = _document()
    del document["epoch"]
    document["interpreter"]["path"] = "../python"
    document["packages"][0]["sha256"] = "x"
    document["packages"][0]["file_name"] = "../../evil.whl"
    document["packages"][1]["url"] = "javascript:1"
    document["services"] = [document["packages"][1], document["packages"][1]]
    document["system"]["debs"][0]["size"] = -1
    document["additions"].append(document["system"]["debs"][1])
    with pytest.raises(UsageError) as caught:
        _parse(document)
    assert caught.value.message.splitlines() == [
        "lock `labbox.lock` has faults:",
        "  epoch: missing required value",
        '  interpreter.path: cannot be "../python"',
        '  packages[0].file_name: cannot be "../../evil.whl"',
        '  packages[0].sha256: cannot be "x"',
        '  packages[1].url: cannot be "javascript:1"',
        '  services[0].url: cannot be "javascript:1"',
        '  services[1].url: cannot be "javascript:1"',
        f"  services[1].name: `{_LOCK.packages[1].name}` is there twice",
        "  system.debs[0].size: cannot be -1",
        f"  additions[1].name: `{document['system']['debs'][1]['name']}` is in the system already",
    ]


def test_a_wheel_that_labbox_built_has_its_source_instead_of_an_address() -> None:
    document = _document()
    assert "url" not in document["packages"][2]
    assert _parse(document).packages[2].source == _LOCK.packages[2].source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not JSON"),
        (b'{\n<<<<<<< HEAD\n "format": 1\n', "it holds conflict marks of git"),
        (b"[]", "is not a JSON object"),
        (b'{"format": 2}', "has format `2`; this labbox reads format 1"),
    ],
)
def test_what_is_no_lock_is_refused_with_what_to_do(text: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_lab_lock(text, where="labbox.lock")


def test_a_missing_lock_is_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no lock"):
        read_lab_lock(str(tmp_path / "labbox.lock"))


def test_debs_have_names_once() -> None:
    document = _document()
    document["additions"] = [document["additions"][0]] * 2
    with pytest.raises(UsageError, match=r"additions\[1\]\.name: `jq` is there twice"):
        _parse(document)
