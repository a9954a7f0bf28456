from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from labbox.errors import PackageError, ResolutionError
from labbox.lock.lab import LockedSource, LockedWheel
from labbox.lock.resolve_python import PythonResolver, ResolvedPython, make_size_finder
from labbox.lock.upgrade import Upgrade
from labbox.packages.python.package_index import PackageIndex, open_package_index
from labbox.packages.python.uv import Uv
from labbox.packages.python.wanted import WantedPackages
from lock.labs import make_locked_wheel
from packages.python.fixtures import PLATFORM
from packages.python.index_server import IndexServer
from packages.python.wheels import make_source, make_wheel


@pytest.fixture
def resolver(uv: Uv, package_index: PackageIndex, project: Path) -> PythonResolver:
    return PythonResolver(
        uv=uv,
        platform=PLATFORM,
        folder=str(project),
        size_of=make_size_finder(package_index.transport, package_index.patience),
    )


def _resolve(
    resolver: PythonResolver, *lines: str, kept: Sequence[LockedWheel] = (), upgrade: Upgrade | None = None
) -> ResolvedPython:
    return resolver.resolve(WantedPackages(requirements=lines), kept=kept, upgrade=upgrade or Upgrade())


@pytest.mark.parametrize("refuses_head", [False, True])
def test_a_wheel_is_locked_with_address_size_and_hash(
    resolver: PythonResolver, index_server: IndexServer, *, refuses_head: bool
) -> None:
    index_server.refuses_head = refuses_head
    index_server.add(made := make_wheel("my-package", "1.0"))
    (wheel,) = _resolve(resolver, "My_Package").wheels
    assert wheel == LockedWheel(
        name="my-package",
        version="1.0",
        file_name="my_package-1.0-py3-none-any.whl",
        url=index_server.address(made),
        size=len(made.content),
        sha256=made.sha256,
        uploaded=1777622400,
    )


def test_locked_versions_stay_unless_they_are_to_be_upgraded(
    resolver: PythonResolver, index_server: IndexServer
) -> None:
    for name in "abc":
        index_server.add(make_wheel(name, "1.0"))
    kept = _resolve(resolver, "a", "b").wheels
    for name in "abc":
        index_server.add(make_wheel(name, "2.0"))

    def versions(upgrade: Upgrade) -> dict[str, str]:
        wheels = _resolve(resolver, "a", "b", "c", kept=kept, upgrade=upgrade).wheels
        return {wheel.name: wheel.version for wheel in wheels}

    assert versions(Upgrade()) == {"a": "1.0", "b": "1.0", "c": "2.0"}
    assert versions(Upgrade(names=frozenset({"b"}))) == {"a": "1.0", "b": "2.0", "c": "2.0"}
    assert versions(Upgrade(everything=True)) == {"a": "2.0", "b": "2.0", "c": "2.0"}


def test_sizes_that_are_known_are_not_asked_for_again(resolver: PythonResolver, index_server: IndexServer) -> None:
    index_server.add(make_wheel("a"))
    kept = _resolve(resolver, "a").wheels

    def refuse(url: str) -> int:
        raise AssertionError(url)

    assert _resolve(replace(resolver, size_of=refuse), "a", kept=kept).wheels == kept


def test_a_package_of_sources_only_is_pending_until_its_wheel_is_in_the_lock(
    resolver: PythonResolver, index_server: IndexServer
) -> None:
    index_server.add(source := make_source("a"))
    resolved = _resolve(resolver, "a")
    assert resolved.wheels == ()
    (pending,) = resolved.sources
    assert (pending.name, pending.version, pending.sha256) == ("a", "1.0", source.sha256)
    built = make_locked_wheel("a", source=LockedSource(url=pending.url, sha256=pending.sha256))
    again = _resolve(resolver, "a", kept=[built])
    assert (again.wheels, again.sources) == ((built,), ())


def test_hashes_of_a_requirements_file_are_kept_to(
    resolver: PythonResolver, index_server: IndexServer, project: Path
) -> None:
    index_server.add(made := make_wheel("a"))
    wanted = WantedPackages(files=("requirements.txt",))
    for sha256, fits in ((made.sha256, True), ("00" * 32, False)):
        (project / "requirements.txt").write_text(f"a==1.0 --hash=sha256:{sha256}\n")
        if fits:
            assert resolver.resolve(wanted, kept=(), upgrade=Upgrade()).wheels[0].sha256 == sha256
        else:
            with pytest.raises(ResolutionError, match="has a sha256 that the requirements file allows"):
                resolver.resolve(wanted, kept=(), upgrade=Upgrade())


def test_a_folder_is_not_locked_but_what_it_needs_is(
    resolver: PythonResolver, index_server: IndexServer, project: Path
) -> None:
    (project / "library").mkdir()
    (project / "library" / "pyproject.toml").write_text(
        '[project]\nname = "library"\nversion = "1"\ndependencies = ["a"]\n'
    )
    index_server.add(make_wheel("a"))
    resolved = _resolve(resolver, "-e ./library")
    assert [wheel.name for wheel in resolved.wheels] == ["a"]
    assert resolved.notes[0].startswith("`library` is a folder (`library`)")


def test_a_lock_of_uv_is_kept_to_and_what_a_lab_needs_is_added(
    resolver: PythonResolver, index_server: IndexServer, project: Path
) -> None:
    old, new, helper = make_wheel("a", "1.0"), make_wheel("a", "2.0"), make_wheel("helper", requires=["a", "b"])
    index_server.add(old, new, helper, make_wheel("b"))
    (project / "pyproject.toml").write_text(
        '[project]\nname = "demo"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["a"]\n'
    )
    (project / "uv.lock").write_text(
        'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n\n[[package]]\nname = "a"\nversion = "1.0"\n'
        f'source = {{ registry = "{index_server.simple}" }}\n'
        f'wheels = [{{ url = "{index_server.address(old)}", hash = "sha256:{old.sha256}" }}]\n\n'
        '[[package]]\nname = "demo"\nversion = "0"\nsource = { virtual = "." }\ndependencies = [{ name = "a" }]\n\n'
        '[package.metadata]\nrequires-dist = [{ name = "a" }]\n'
    )
    wanted = WantedPackages(project=True, requirements=("helper",))
    wheels = resolver.resolve(wanted, kept=(), upgrade=Upgrade()).wheels
    assert [(wheel.name, wheel.version) for wheel in wheels] == [("a", "1.0"), ("b", "1.0"), ("helper", "1.0")]


def test_a_lock_holds_no_passwords(
    environment: dict[str, str], resolver: PythonResolver, index_server: IndexServer
) -> None:
    index_server.login = "me:se%cret"
    environment["UV_DEFAULT_INDEX"] = index_server.simple.replace("://", "://me:se%25cret@")
    index_server.add(made := make_wheel("a"))
    with open_package_index("/nonexistent", environment) as index:
        size_of = make_size_finder(index.transport, index.patience)
        (wheel,) = _resolve(replace(resolver, size_of=size_of), "a").wheels
        assert [file.url for file in index.files("a")] == [index_server.address(made)]
    assert wheel.url == index_server.address(made)
    assert wheel.size == len(made.content)


def test_an_index_that_wants_a_password_is_told(resolver: PythonResolver, index_server: IndexServer) -> None:
    index_server.login = "me:secret"
    index_server.add(make_wheel("a"))
    with pytest.raises(PackageError) as caught:
        _resolve(resolver, "a")
    assert "401 Unauthorized" in caught.value.message
