import os
import py_compile
from pathlib import Path

from labbox.build.debian.normalise import (
    clamp_times,
    find_bytecode_folders,
    limit_password_dates,
    rewrite_bytecode,
)

_EPOCH = 1_700_000_000
_SECOND = 10**9


def test_nothing_is_younger_than_the_epoch_and_folders_carry_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "young").write_text("")
    (tmp_path / "old").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "folder-link").symlink_to("folder")
    os.utime(tmp_path / "old", (1, 1))
    clamp_times(str(tmp_path), _EPOCH)
    times = {path.name: path.lstat().st_mtime_ns for path in [tmp_path, *tmp_path.iterdir()]}
    assert times.pop("old") == _SECOND
    assert set(times.values()) == {_EPOCH * _SECOND}


def test_password_dates_after_the_epoch_are_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "shadow"
    path.write_text("root:*:20500:0:99999:7:::\nold:!:100::::::\nnone:!:::::::\n")
    inode = path.stat().st_ino
    limit_password_dates(str(path), 19675)
    assert path.read_text() == "root:*:19675:0:99999:7:::\nold:!:100::::::\nnone:!:::::::\n"
    assert path.stat().st_ino == inode


def test_compiled_python_names_the_time_of_its_source(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("value = {'a', 'b'}\n")
    os.utime(source, (1_600_000_000, 1_600_000_000))
    compiled = _compile(source)
    before = compiled.read_bytes()
    assert rewrite_bytecode(find_bytecode_folders(str(tmp_path)), _EPOCH) == {}
    after = compiled.read_bytes()
    assert after[:8] == before[:4] + bytes(4)
    assert int.from_bytes(after[8:12], "little") == 1_600_000_000
    assert int.from_bytes(after[12:16], "little") == source.stat().st_size
    assert after[16:] == before[16:]


def test_a_source_that_will_be_clamped_counts_as_clamped(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("")
    compiled = _compile(source)
    rewrite_bytecode([str(compiled.parent)], _EPOCH)
    assert int.from_bytes(compiled.read_bytes()[8:12], "little") == _EPOCH


def test_older_pythons_must_compile_again(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "module.cpython-39.pyc").write_bytes(bytes(20))
    (tmp_path / "__pycache__" / "gone.cpython-39.pyc").write_bytes(bytes(20))
    found = rewrite_bytecode([str(tmp_path / "__pycache__")], _EPOCH)
    assert found == {"python3.9": [str(tmp_path / "module.py")]}


def test_what_was_compiled_before_stays(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("")
    compiled = _compile(tmp_path / "module.py")
    before = compiled.read_bytes()
    os.utime(compiled, (_EPOCH, _EPOCH))
    assert rewrite_bytecode([str(compiled.parent)], _EPOCH) == {}
    assert compiled.read_bytes() == before


def _compile(source: Path) -> Path:
    """Compile as package scripts do while SOURCE_DATE_EPOCH is set: with the source's hash."""
    compiled = py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    assert compiled is not None
    return Path(compiled)
