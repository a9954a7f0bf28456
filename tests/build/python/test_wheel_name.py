import pytest

from labbox.build.python.wheel_name import check_wheel_fits, is_same_version, normalise_name, parse_wheel_name
from labbox.errors import ArchiveError, UnsupportedError


@pytest.mark.parametrize(
    ("file_name", "language"),
    [
        ("a-1-py3-none-any.whl", "3.13"), ("a-1-py2.py3-none-any.whl", "2.7"), ("a-1-2-py38-none-any.whl", "3.13"),
        ("a-1-cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", "3.13"),
        ("a-1-cp36-abi3-manylinux2014_x86_64.whl", "3.13"), ("a-1-cp27-cp27mu-manylinux1_x86_64.whl", "2.7"),
        ("a-1-py3-none-linux_x86_64.whl", "3.11"), ("a-1-cp37-cp37m-linux_x86_64.whl", "3.7"),
        ("a-1-cp310.cp311-none-any.whl", "3.11"),
    ],
)  # fmt: skip
def test_wheels_that_fit(file_name: str, language: str) -> None:
    check_wheel_fits(file_name, language, "x86_64")


@pytest.mark.parametrize(
    "file_name",
    [
        "a-1-py2-none-any.whl", "a-1-cp314-cp314-manylinux2014_x86_64.whl", "a-1-cp313-cp313t-manylinux2014_x86_64.whl",
        "a-1-cp312-cp312-manylinux2014_x86_64.whl", "a-1-cp313-cp313-manylinux2014_aarch64.whl",
        "a-1-cp313-cp313-musllinux_1_2_x86_64.whl", "a-1-py3-none-win_amd64.whl", "a-1-py3-none-macosx_11_0_arm64.whl",
        "a-1-cp314-abi3-manylinux2014_x86_64.whl", "a-1-pp311-pypy311_pp73-manylinux2014_x86_64.whl",
        "a-1-py314-none-any.whl", "a-1-cp313-cp313m-linux_x86_64.whl",
    ],
)  # fmt: skip
def test_wheels_that_do_not_fit_are_named(file_name: str) -> None:
    with pytest.raises(UnsupportedError, match=file_name.replace(".", r"\.")):
        check_wheel_fits(file_name, "3.13", "x86_64")


@pytest.mark.parametrize("file_name", ["a.whl", "a-1-py3-none-any.zip", "a-1-2-3-py3-none-any.whl", "../a-1-p-n-a.whl"])
def test_names_that_are_no_wheels_are_refused(file_name: str) -> None:
    with pytest.raises(ArchiveError, match="no name of a wheel"):
        parse_wheel_name(file_name)


def test_names_and_versions_have_several_spellings() -> None:
    assert normalise_name("Foo__Bar.baz") == "foo-bar-baz"
    assert is_same_version("1.0", "1.0")
    assert is_same_version("1.0_local", "1.0+local")
    assert is_same_version("2.0.0", "2.0")
    assert is_same_version("1.0rc1", "1.0-rc.1")
    assert not is_same_version("1.0", "1.1")
    assert not is_same_version("one", "two")
