"""uv, resolving against an index on the loopback device."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from labbox.errors import DownloadError, PackageError, ResolutionError, UsageError
from labbox.packages.python.resolution import Resolution, compile_packages, export_project
from labbox.packages.python.uv import Uv
from labbox.packages.python.wanted import WantedPackages
from packages.python.fixtures import PLATFORM
from packages.python.index_server import IndexServer
from packages.python.wheels import make_source, make_wheel

_LOCKED_PROJECT = """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "a"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
wheels = [
    { url = "https://files.example/a-1.0-py3-none-any.whl", hash = "sha256:ELEVENS", size = 7 },
]

[[package]]
name = "w"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
wheels = [
    { url = "https://files.example/w-1.0-py3-none-any.whl", hash = "sha256:TWOS", size = 7 },
]

[[package]]
name = "demo"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "a" },
    { name = "w", marker = "sys_platform == 'win32'" },
]

[package.metadata]
requires-dist = [
    { name = "a", specifier = ">=1" },
    { name = "w", marker = "sys_platform == 'win32'" },
]
""".replace("ELEVENS", "11" * 32).replace("TWOS", "22" * 32)


def _resolve(uv: Uv, folder: Path, *lines: str, preferred: Mapping[str, str] | None = None) -> Resolution:
    wanted = WantedPackages(requirements=lines)
    return compile_packages(uv, wanted, PLATFORM, folder=str(folder), preferred=preferred or {})


def _versions(resolution: Resolution) -> dict[str, str]:
    return {package.name: package.version for package in resolution.packages}


def _fails(uv: Uv, folder: Path, *lines: str) -> PackageError:
    with pytest.raises(PackageError) as caught:
        _resolve(uv, folder, *lines)
    return caught.value


def test_what_a_package_needs_comes_too_with_files_and_hashes(uv: Uv, index_server: IndexServer, project: Path) -> None:
    wheel = make_wheel("b")
    index_server.add(make_wheel("a", requires=["b>=1"]), wheel)
    resolution = _resolve(uv, project, "a")
    assert _versions(resolution) == {"a": "1.0", "b": "1.0"}
    (file,) = resolution.packages[1].wheels
    assert (file.url, file.sha256) == (index_server.address(wheel), wheel.sha256)
    assert file.uploaded == 1777622400


def test_an_index_of_plain_html_serves_as_well(uv: Uv, index_server: IndexServer, project: Path) -> None:
    index_server.speaks_json = False
    index_server.add(make_wheel("a"))
    assert _versions(_resolve(uv, project, "a")) == {"a": "1.0"}


def test_the_newest_version_is_taken_unless_an_older_one_is_preferred(
    uv: Uv, index_server: IndexServer, project: Path
) -> None:
    index_server.add(make_wheel("a", "1.0"), make_wheel("a", "2.0"))
    assert _versions(_resolve(uv, project, "a")) == {"a": "2.0"}
    assert _versions(_resolve(uv, project, "a", preferred={"a": "1.0", "gone": "3"})) == {"a": "1.0"}
    assert _versions(_resolve(uv, project, "a>1", preferred={"a": "1.0"})) == {"a": "2.0"}


def test_a_package_of_sources_only_has_its_archive(uv: Uv, index_server: IndexServer, project: Path) -> None:
    source = make_source("a", requires=["b"])
    index_server.add(source, make_wheel("b"))
    package = _resolve(uv, project, "a").packages[0]
    assert package.wheels == ()
    assert package.source is not None
    assert package.source.sha256 == source.sha256


def test_requirements_files_are_read_as_pip_reads_them(uv: Uv, index_server: IndexServer, project: Path) -> None:
    (project / "requirements").mkdir()
    (project / "requirements" / "base.txt").write_text("a\n-c limits.txt\n")
    (project / "requirements" / "limits.txt").write_text("a<2  # not yet\n")
    (project / "requirements.txt").write_text("-r requirements/base.txt\n")
    index_server.add(make_wheel("a", "1.0"), make_wheel("a", "2.0"))
    wanted = WantedPackages(files=("requirements.txt",))
    resolution = compile_packages(uv, wanted, PLATFORM, folder=str(project), preferred={})
    assert _versions(resolution) == {"a": "1.0"}


def test_a_folder_of_wheels_gives_addresses_of_files(uv: Uv, project: Path) -> None:
    wheel = make_wheel("a")
    (project / "wheels").mkdir()
    (project / "wheels" / wheel.name).write_bytes(wheel.content)
    wanted = WantedPackages(requirements=("a",), find_links=("wheels",))
    resolution = compile_packages(uv, wanted, PLATFORM, folder=str(project), preferred={})
    assert resolution.packages[0].wheels[0].url == (project / "wheels" / wheel.name).as_uri()


def test_a_wheel_of_the_project_folder_may_be_named(uv: Uv, project: Path) -> None:
    wheel = make_wheel("a")
    (project / wheel.name).write_bytes(wheel.content)
    (file,) = _resolve(uv, project, f"./{wheel.name}").packages[0].wheels
    assert (file.url, file.sha256) == ((project / wheel.name).as_uri(), wheel.sha256)


def test_a_yanked_version_is_taken_only_when_asked_for_and_told(
    uv: Uv, index_server: IndexServer, project: Path
) -> None:
    index_server.add(make_wheel("a", "1.0"), bad := make_wheel("a", "2.0"))
    index_server.yanked[bad.name] = "broken"
    assert _versions(_resolve(uv, project, "a")) == {"a": "1.0"}
    resolution = _resolve(uv, project, "a==2.0")
    assert _versions(resolution) == {"a": "2.0"}
    assert resolution.warnings == ('`a==2.0` is yanked (reason: "broken")',)


def test_pyproject_is_resolved_with_its_groups(uv: Uv, index_server: IndexServer, project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[project]\nname = "demo"\nversion = "1"\ndependencies = ["a"]\n'
        '[project.optional-dependencies]\nmore = ["b"]\n'
        '[dependency-groups]\ndev = ["c"]\ndocs = ["d"]\n'
    )
    index_server.add(*(make_wheel(name) for name in "abcd"))

    def names(*groups: str) -> str:
        wanted = WantedPackages(project=True, groups=groups)
        resolution = compile_packages(uv, wanted, PLATFORM, folder=str(project), preferred={})
        return "".join(package.name for package in resolution.packages)

    assert names() == "ac"
    assert names("more", "docs") == "abcd"
    with pytest.raises(UsageError, match="no group and no extra `nosuch`"):
        names("nosuch")


def test_uv_lock_is_followed_without_any_network_for_this_platform_alone(
    uv: Uv, index_server: IndexServer, project: Path
) -> None:
    _write_locked_project(project, '"a>=1", "w; sys_platform == \'win32\'"')
    resolution = export_project(uv, (), PLATFORM, folder=str(project))
    assert _versions(resolution) == {"a": "1.0"}
    assert resolution.packages[0].wheels[0].sha256 == "11" * 32
    assert index_server.hits == []


def test_a_uv_lock_that_is_older_than_its_project_is_refused(uv: Uv, project: Path) -> None:
    _write_locked_project(project, '"a>=1", "b"')
    with pytest.raises(ResolutionError, match=r"`uv\.lock` is older than `pyproject\.toml`") as caught:
        export_project(uv, (), PLATFORM, folder=str(project))
    assert caught.value.hint == "Run `uv lock`."


def _write_locked_project(project: Path, dependencies: str) -> None:
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\ndependencies = [{dependencies}]\n'
    )
    (project / "uv.lock").write_text(_LOCKED_PROJECT)


def test_an_unknown_package_is_one_sentence(uv: Uv, project: Path) -> None:
    error = _fails(uv, project, "nosuch")
    assert error.message == "there is no Python package `nosuch` in the index"
    assert error.hint == "Correct the name `nosuch`, or add its index."


def test_an_unknown_version_is_one_sentence(uv: Uv, index_server: IndexServer, project: Path) -> None:
    index_server.add(make_wheel("a"))
    error = _fails(uv, project, "a==99")
    assert error.message == "no such version: there is no version of a==99 and you require a==99"
    assert error.hint == "Relax the version that is asked of `a`."


def test_pins_that_cannot_be_had_together_are_told_with_what_to_relax(
    uv: Uv, index_server: IndexServer, project: Path
) -> None:
    index_server.add(make_wheel("a", requires=["b>=2"]), make_wheel("b", "1.0"), make_wheel("b", "2.0"))
    error = _fails(uv, project, "a", "b<2")
    assert error.message.startswith("the Python packages cannot be had together: ")
    assert error.message.endswith("all versions of a depend on b>=2 and you require a; you require b<2")
    assert error.hint == "Relax the version of `a` or `b`."


def test_a_package_without_a_wheel_for_the_platform_says_which_there_are(
    uv: Uv, index_server: IndexServer, project: Path
) -> None:
    index_server.add(make_wheel("a", tag="cp313-cp313-win_amd64"))
    error = _fails(uv, project, "a")
    assert error.message.startswith("there is no wheel for the lab's Python or platform: ")
    assert "`win_amd64`" in error.message


def test_a_wheel_for_a_newer_c_library_does_not_count(uv: Uv, index_server: IndexServer, project: Path) -> None:
    index_server.add(
        make_wheel("a", "1.0", tag="cp313-cp313-manylinux_2_17_x86_64"),
        make_wheel("a", "2.0", tag="cp313-cp313-manylinux_2_39_x86_64"),
    )
    assert _versions(_resolve(uv, project, "a")) == {"a": "1.0"}


def test_a_line_that_is_no_requirement_is_told(uv: Uv, project: Path) -> None:
    assert "no such comparison operator" in _fails(uv, project, "numpy=2").message


def test_an_index_that_cannot_be_reached_is_told_with_its_address(
    environment: dict[str, str], uv: Uv, project: Path
) -> None:
    environment["UV_DEFAULT_INDEX"] = "http://127.0.0.1:9/simple"
    error = _fails(uv, project, "a")
    assert isinstance(error, DownloadError)
    assert error.message.startswith("the Python package index cannot be reached: `http://127.0.0.1:9/simple/a/`: ")


def test_no_network_is_told_as_such(environment: dict[str, str], uv: Uv, project: Path) -> None:
    environment["UV_OFFLINE"] = "1"
    error = _fails(uv, project, "a")
    assert isinstance(error, DownloadError)
    assert error.message.startswith("no network is allowed, and what is known without it does not suffice")
