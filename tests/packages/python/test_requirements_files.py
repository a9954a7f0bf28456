from pathlib import Path

import pytest

from labbox.errors import UsageError
from labbox.packages.python.requirements_files import allowed_hashes, read_requirements_files


def test_included_files_belong_to_it_each_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("-r sub/b.txt\n--constraint=sub/c.txt  # limits\n-r https://example.com/x.txt\n")
    (tmp_path / "sub" / "b.txt").write_text("-rb2.txt\n")
    (tmp_path / "sub" / "b2.txt").write_text("-r ../a.txt\n")
    (tmp_path / "sub" / "c.txt").write_text("")
    files = read_requirements_files(str(tmp_path), ["a.txt"])
    assert [file.path for file in files] == ["a.txt", "sub/b.txt", "sub/b2.txt", "sub/c.txt"]


def test_a_missing_file_is_named_with_the_one_that_wants_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r b.txt\n")
    with pytest.raises(UsageError, match=r"cannot read requirements file `b\.txt` \(named in `a\.txt`\): No such file"):
        read_requirements_files(str(tmp_path), ["a.txt"])


def test_hashes_are_read_over_continued_lines_by_normalised_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        f"Foo_Bar==1.0 ; python_version > '3' \\\n    --hash=sha256:{'11' * 32} \\\n    --hash=sha256:{'22' * 32}\n"
        f"plain==2\n# other --hash=sha256:{'33' * 32}\n"
    )
    files = read_requirements_files(str(tmp_path), ["a.txt"])
    assert allowed_hashes(files) == {"foo-bar": {"11" * 32, "22" * 32}}
