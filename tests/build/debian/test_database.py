from pathlib import Path

from build.debian.rooms import call_in_room
from labbox.build.debian import database
from labbox.build.debian.database import DatabaseEntry
from labbox.packages.debian.control import parse_paragraph
from labbox.packages.debian.deb_file import DebControl


def _entry(name: str, *, files: dict[str, bytes] | None = None, fields: str = "", md5: str = "") -> DatabaseEntry:
    text = f"Package: {name}\nVersion: 1\nArchitecture: amd64\n{fields}"
    control = DebControl(
        fields=parse_paragraph(text),
        text=text,
        files={"conffiles": b"/etc/x\nremove-on-upgrade /etc/y\n", **(files or {})} if md5 else files or {},
    )
    conffiles = {"/etc/x": md5} if md5 else {}
    return DatabaseEntry(control=control, paths=["/.", f"/{name}"], conffiles=conffiles)


def _read(root: Path, *entries: DatabaseEntry) -> Path:
    def write() -> None:
        database.create_database("amd64")
        for entry in entries:
            database.write_info(entry)
        database.record_unpacked(entries)
        database.record_automatic(entries, frozenset({"a"}))

    call_in_room(str(root), write)
    return root / "var" / "lib" / "dpkg"


def test_packages_are_unpacked_and_sorted_by_name(tmp_path: Path) -> None:
    folder = _read(tmp_path, _entry("b", md5="0" * 32), _entry("a"))
    assert (folder / "status").read_text() == (
        "Package: a\nStatus: install ok unpacked\nVersion: 1\nArchitecture: amd64\n\n"
        "Package: b\nStatus: install ok unpacked\nVersion: 1\nArchitecture: amd64\n"
        f"Conffiles:\n /etc/x {'0' * 32}\n /etc/y newconffile remove-on-upgrade\n\n"
    )


def test_paths_and_scripts_are_kept(tmp_path: Path) -> None:
    entry = _entry("a", files={"postinst": b"#!/bin/sh\n", "md5sums": b""}, fields="Multi-Arch: same\n")
    folder = _read(tmp_path, entry)
    assert (folder / "info" / "a:amd64.list").read_text() == "/.\n/a\n"
    assert (folder / "info" / "a:amd64.postinst").stat().st_mode & 0o777 == 0o755
    assert (folder / "info" / "a:amd64.md5sums").stat().st_mode & 0o777 == 0o644
    assert (folder / "info" / "format").read_text() == "1\n"
    assert (folder / "arch").read_text() == "amd64\n"


def test_interest_in_triggers_is_noted(tmp_path: Path) -> None:
    triggers = b"# note\ninterest-noawait /usr/share/fonts\ninterest ldconfig\nactivate other\n"
    folder = _read(tmp_path, _entry("a", files={"triggers": triggers}))
    assert (folder / "triggers" / "File").read_text() == "/usr/share/fonts a/noawait\n"
    assert (folder / "triggers" / "ldconfig").read_text() == "a\n"


def test_only_what_nobody_asked_for_is_automatic(tmp_path: Path) -> None:
    _read(tmp_path, _entry("a"), _entry("b"))
    text = (tmp_path / "var" / "lib" / "apt" / "extended_states").read_text()
    assert text == "Package: b\nArchitecture: amd64\nAuto-Installed: 1\n\n"


def test_files_below_a_watched_path_activate_its_trigger(tmp_path: Path) -> None:
    folder = _read(tmp_path, _entry("a", files={"triggers": b"interest /usr/share/fonts\ninterest /usr/share/man\n"}))
    paths = ["/usr/share/fonts/x.ttf", "/usr/share/manual"]
    call_in_room(str(tmp_path), lambda: database.activate_file_triggers(paths))
    assert (folder / "triggers" / "Unincorp").read_text() == "/usr/share/fonts -\n"


def test_diversions_are_read_in_threes(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "lib" / "dpkg"
    folder.mkdir(parents=True)
    (folder / "diversions").write_text("/bin/sh\n/bin/sh.distrib\ndash\n/a\n/b\n:\n")
    found = call_in_room(str(tmp_path), database.read_diversions)
    assert found == {"/bin/sh": ("/bin/sh.distrib", "dash"), "/a": ("/b", ":")}
