import lzma
import os
from pathlib import Path

import pytest

from labbox.errors import DigestMismatchError
from labbox.packages.debian.index import IndexCache, scan_index
from packages.debian.paragraphs import paragraph

_TEXT = "\n".join(
    [
        paragraph("libc6", "2.41", multi_arch="same"),
        paragraph("base-files", "13", essential=True),
        paragraph("exim4", "4.98", provides="mail-transport-agent, mta (= 2)", depends="libc6 (>= 2.40)"),
        paragraph("exim4", "4.99"),
        paragraph("init", "1", priority="required"),
    ]
).encode()


def test_packages_are_found_by_name_in_every_version() -> None:
    index = scan_index(_TEXT, "debian")
    assert [package.version for package in index.packages("exim4")] == ["4.98", "4.99"]
    assert list(index.packages("nothing")) == []


def test_a_package_has_its_relations_and_its_file() -> None:
    package = next(scan_index(_TEXT, "debian").packages("exim4"))
    assert str(package.depends[0][0]) == "libc6 (>= 2.40)"
    assert (package.archive, package.path, package.size) == ("debian", "pool/e/exim4_4.98.deb", 100)


def test_providers_and_base_packages_are_noted() -> None:
    index = scan_index(_TEXT, "debian")
    assert index.providers == {"mail-transport-agent": ["exim4"], "mta": ["exim4"]}
    assert index.base_names == ["base-files", "init"]


def test_the_last_paragraph_needs_no_newline() -> None:
    index = scan_index(_TEXT.rstrip(), "debian")
    assert next(index.packages("init")).priority == "required"


def test_an_index_is_fetched_once(tmp_path: Path) -> None:
    cache = IndexCache(str(tmp_path))
    fetched = cache.load("00" * 32, "debian", lambda: lzma.compress(_TEXT))
    again = cache.load("00" * 32, "debian", lambda: pytest.fail("fetched again"))
    assert list(again.packages("exim4")) == list(fetched.packages("exim4"))
    assert (again.spans, again.providers, again.base_names) == (fetched.spans, fetched.providers, fetched.base_names)


@pytest.mark.parametrize("suffix", ["", ".json"])
def test_a_damaged_entry_of_the_cache_is_fetched_again(tmp_path: Path, suffix: str) -> None:
    cache = IndexCache(str(tmp_path))
    cache.load("00" * 32, "debian", lambda: lzma.compress(_TEXT))
    with open(tmp_path / "debian" / "indexes" / ("00" * 32 + suffix), "r+b") as file:
        file.truncate(10)
    assert len(list(cache.load("00" * 32, "debian", lambda: lzma.compress(_TEXT)).packages("exim4"))) == 2


def test_the_cache_keeps_a_limited_number_of_indexes(tmp_path: Path) -> None:
    cache = IndexCache(str(tmp_path))
    for number in range(15):
        cache.load(f"{number:064x}", "debian", lambda: lzma.compress(_TEXT))
        os.utime(tmp_path / "debian" / "indexes" / f"{number:064x}", (number, number))
    names = os.listdir(tmp_path / "debian" / "indexes")
    assert len([name for name in names if len(name) == 64]) == 12
    assert f"{14:064x}" in names
    assert f"{0:064x}" not in names


def test_what_is_no_xz_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DigestMismatchError, match="not an xz file"):
        IndexCache(str(tmp_path)).load("00" * 32, "debian", lambda: b"plain")
