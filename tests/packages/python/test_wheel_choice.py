import pytest

from labbox.errors import ResolutionError
from labbox.packages.python.platform import PythonPlatform
from labbox.packages.python.pylock import PylockFile, PylockPackage
from labbox.packages.python.wheel_choice import choose_file, rank_tags
from packages.python.fixtures import PLATFORM

_RANKS = rank_tags(PLATFORM.tags())


def _file(name: str, sha256: str = "11" * 32) -> PylockFile:
    return PylockFile(url=f"https://files.example/{name}", sha256=sha256)


def _choose(*names: str, source: str = "") -> str:
    package = PylockPackage(
        name="a", version="1.0", wheels=tuple(map(_file, names)), source=_file(source) if source else None
    )
    return choose_file(package, _RANKS).file.file_name


@pytest.mark.parametrize(
    ("tags", "best"),
    [
        (("py3-none-any", "cp313-cp313-manylinux_2_17_x86_64"), "cp313-cp313-manylinux_2_17_x86_64"),
        (("cp313-cp313-manylinux1_x86_64", "cp313-cp313-manylinux_2_28_x86_64"), "cp313-cp313-manylinux_2_28_x86_64"),
        (("cp313-cp313-manylinux_2_37_x86_64", "cp313-cp313-manylinux2014_x86_64"), "cp313-cp313-manylinux2014_x86_64"),
        (("cp313-cp313-manylinux_2_17_aarch64", "py2.py3-none-any"), "py2.py3-none-any"),
        (("cp39-abi3-manylinux1_x86_64", "cp314-cp314-manylinux_2_28_x86_64"), "cp39-abi3-manylinux1_x86_64"),
        (("cp313-cp313t-manylinux_2_28_x86_64", "py3-none-linux_x86_64"), "py3-none-linux_x86_64"),
        (("cp313-cp313-musllinux_1_2_x86_64", "py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64"),
         "py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64"),
    ],
)  # fmt: skip
def test_the_best_wheel_that_the_platform_takes_is_chosen(tags: tuple[str, ...], best: str) -> None:
    assert _choose(*(f"a-1.0-{tag}.whl" for tag in tags)) == f"a-1.0-{best}.whl"


def test_of_equal_wheels_the_highest_build_counts() -> None:
    names = [f"a-1.0-{build}py3-none-any.whl" for build in ("", "2-", "10-", "9-")]
    assert _choose(*names) == "a-1.0-10-py3-none-any.whl"


def test_a_source_archive_is_the_last_resort() -> None:
    assert _choose("a-1.0-py3-none-any.whl", source="a-1.0.tar.gz") == "a-1.0-py3-none-any.whl"
    assert _choose("a-1.0-cp313-cp313-win32.whl", "what.whl", source="a-1.0.tar.gz") == "a-1.0.tar.gz"


def test_nothing_that_fits_is_told_with_what_there_is() -> None:
    with pytest.raises(ResolutionError) as caught:
        _choose("a-1.0-cp313-cp313-win_amd64.whl")
    assert caught.value.message.endswith("there are wheels for cp313-cp313-win_amd64")


def test_only_hashes_that_the_requirements_file_allows_are_taken() -> None:
    package = PylockPackage(
        name="a",
        version="1.0",
        wheels=(_file("a-1.0-cp313-cp313-manylinux1_x86_64.whl"), _file("a-1.0-py3-none-any.whl", "22" * 32)),
    )
    assert choose_file(package, _RANKS, frozenset({"22" * 32})).file.file_name == "a-1.0-py3-none-any.whl"
    with pytest.raises(
        ResolutionError, match="has a sha256 that the requirements file allows; the index has sha256:11"
    ):
        choose_file(package, _RANKS, frozenset({"33" * 32}))


def test_a_file_without_a_hash_cannot_be_locked() -> None:
    package = PylockPackage(name="a", version="1.0", wheels=(_file("a-1.0-py3-none-any.whl", ""),))
    with pytest.raises(ResolutionError, match=r"gives no sha256 of `https://files\.example/a-1\.0-py3-none-any\.whl`"):
        choose_file(package, _RANKS)


@pytest.mark.parametrize(
    ("glibc", "name"),
    [((2, 41), "x86_64-manylinux_2_40"), ((2, 36), "x86_64-manylinux_2_36"), ((2, 30), "x86_64-manylinux_2_28")],
)
def test_uv_is_told_the_newest_platform_that_it_has_a_name_for(glibc: tuple[int, int], name: str) -> None:
    assert PythonPlatform(version="3.13.5", abi="cp313", machine="x86_64", glibc=glibc).uv_name == name


def test_markers_are_those_of_the_lab_and_not_of_the_host() -> None:
    platform = PythonPlatform(version="3.9.2", abi="cp39", machine="aarch64", glibc=(2, 31))
    assert platform.accepts("python_version < '3.10' and platform_machine == 'aarch64' and sys_platform == 'linux'")
    assert not platform.accepts("python_full_version >= '3.9.3'")
