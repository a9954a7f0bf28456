"""What `labbox bootstrap` refuses before it asks the archive for anything."""

from pathlib import Path

import pytest

from labbox.build.debian.normalise import ASSEMBLER_VERSION
from labbox.cli.main import main
from labbox.lock.system import SystemLock, write_system_lock
from labbox.packages.debian.releases import host_architecture


@pytest.fixture(autouse=True)
def _nothing_to_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LABBOX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LABBOX_DEBIAN_MIRROR", "http://127.0.0.1:1/debian")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("debian:13 -t Bad:1", "invalid reference format: repository name (library/Bad) must be lowercase"),
        ("debian:99", "unknown Debian release `debian:99`"),
        ("debian:13 --lock no/such/lock.json", "cannot write the lock `no/such/lock.json`: `{here}/no/such` is"),
        ("--from-lock nosuch.json", "cannot read lock `nosuch.json`: No such file or directory"),
        ("debian:12 --from-lock lock.json", "lock `lock.json` is of debian:13, not of debian:12"),
        ("--include git --from-lock lock.json", "packages cannot be added to a lock"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_downloaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    write_system_lock("lock.json", _empty_lock())
    assert main(["bootstrap", "-q", *line.split()]) != 0
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(f"labbox: {message.format(here=tmp_path)}")


def _empty_lock() -> SystemLock:
    return SystemLock(
        release="debian:13",
        architecture=host_architecture(),
        epoch=1,
        fetched_at="2026-01-01T00:00:00+00:00",
        assembler=ASSEMBLER_VERSION,
        suites=(),
        debs=(),
    )
