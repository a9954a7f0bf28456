"""A folder on disk becomes a definition."""

import os
from pathlib import Path

import pytest

from labbox.actions.read_definition import read_definition
from labbox.errors import NotFoundError, UsageError


def test_the_name_is_that_of_the_real_folder(tmp_path: Path) -> None:
    folder = tmp_path / "My Lab"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)

    assert read_definition(str(tmp_path / "link")).name == "my-lab"


def test_files_may_be_links_and_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b'\xef\xbb\xbf[lab]\nname = "linked"\n')
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "labbox.toml").symlink_to("../elsewhere")

    assert read_definition(str(folder)).name == "linked"


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "labbox.toml").mkdir()
    os.mkfifo(tmp_path / "apt.txt")

    assert read_definition(str(tmp_path)).sources == ()


def test_a_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        read_definition(str(tmp_path / "nowhere"))
    (tmp_path / "file").touch()
    with pytest.raises(NotFoundError, match="is not a folder"):
        read_definition(str(tmp_path / "file"))


def test_every_file_that_is_named_must_exist(tmp_path: Path) -> None:
    (tmp_path / "labbox.toml").write_text(
        'lab.system = "./Dockerfile"\n[packages]\nproject = true\nrequirements = ["reqs/all.txt", "gone.txt"]\n'
    )
    (tmp_path / "reqs").mkdir()
    (tmp_path / "reqs" / "all.txt").write_text(
        "numpy\n-r more.txt\n--constraint=limits.txt\n-r https://example.org/x.txt\n"
    )
    (tmp_path / "reqs" / "more.txt").write_text("-r all.txt\n-c../outer.txt\n")
    with pytest.raises(UsageError) as caught:
        read_definition(str(tmp_path))

    assert [line.strip() for line in caught.value.message.splitlines()[1:]] == [
        "`./Dockerfile`, the system's Dockerfile",
        "`pyproject.toml`, which lists Python packages",
        "`outer.txt`, which `reqs/more.txt` includes",
        "`reqs/limits.txt`, which `reqs/all.txt` includes",
        "`gone.txt`, which lists Python packages",
    ]


@pytest.mark.parametrize("name", ["labbox.toml", "requirements.txt"])
def test_a_file_that_is_no_text_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=f"{name}`: it is not UTF-8 text"):
        read_definition(str(tmp_path))
