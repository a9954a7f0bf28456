"""Requirements resolved for a Python that uv refuses (before 3.8; in practice 2.7), by the last pip of that Python.

pip chooses in a container of the lab's system. What it chose is looked up in the index by its name and sha256, and
source archives are built here, so the lock holds for every file where it comes from.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence

from labbox.build.python.pip_tools import explain_failure, lay_pip, pip_command, pip_environment
from labbox.build.python.source_wheels import SourceBuilder, describe_wheel
from labbox.build.workshop import INPUT, OUTPUT, Bench, Workshop, network_for
from labbox.errors import ResolutionError
from labbox.files import make_private_folder
from labbox.lock.lab import LockedInterpreter, LockedSource, LockedWheel
from labbox.packages.python.index_files import IndexFile
from labbox.packages.python.package_index import PackageIndex, open_package_index
from labbox.packages.python.requirements_files import read_requirements_files

_MESSAGE_SIGNS = ("ERROR:", "The conflict is caused by:", "    ")
Report = Callable[[str, int, int], None]


def resolve_legacy(
    packages: Sequence[str],
    files: Sequence[str] = (),
    *,
    interpreter: LockedInterpreter,
    workshop: Workshop,
    indexes: Sequence[str] = (),
    find_links: Sequence[str] = (),
    report: Report,
) -> tuple[LockedWheel, ...]:
    """The wheels of requirement lines, requirement files (host paths) and all they need, sorted by name.

    Every wheel is in the cache (`wheels/sha256`) afterwards. `find_links` are folders of this host with wheels.
    Reports the stages `resolve` and `build wheels`. Raises ResolutionError when nothing satisfies the request or the
    index does not have what pip took, PackageError when a source archive cannot be built.
    """
    cache_dir = workshop.engine.settings.cache_dir
    with open_package_index(cache_dir, workshop.environment, indexes) as index, workshop.bench() as bench:
        report("resolve", 0, 1)
        _lay_requirements(bench, packages, files, find_links)
        lay_pip(bench, interpreter, index)
        _download(bench, interpreter, workshop, index)
        report("resolve", 1, 1)
        names = sorted(os.listdir(bench.output), key=str.lower)
        builder = SourceBuilder(interpreter, workshop, index)
        sources = [name for name in names if not name.endswith(".whl")]
        wheels = [_keep_wheel(bench, name, index, find_links) for name in names if name.endswith(".whl")]
        for done, name in enumerate(sources):
            report("build wheels", done, len(sources))
            wheels.append(builder.build(_find_source(bench, name, index)))
        report("build wheels", len(sources), len(sources))
        return tuple(sorted(wheels, key=lambda wheel: wheel.name))


def _lay_requirements(bench: Bench, packages: Sequence[str], files: Sequence[str], find_links: Sequence[str]) -> None:
    """Put what is required on the bench; files keep their places to each other, by which they include one another."""
    lines = [*packages]
    for file in read_requirements_files("/", [os.path.abspath(path) for path in files]):
        place = f"{bench.input}/files{file.path}"
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8") as copy:
            copy.write(file.text)
    lines += [f"-r {INPUT}/files{os.path.abspath(path)}" for path in files]
    for number, folder in enumerate(find_links):
        shutil.copytree(folder, f"{bench.input}/links-{number}")
        lines.append(f"--find-links {INPUT}/links-{number}")
    with open(f"{bench.input}/requirements.txt", "w", encoding="utf-8") as listing:
        listing.writelines(f"{line}\n" for line in lines)


def _download(bench: Bench, interpreter: LockedInterpreter, workshop: Workshop, index: PackageIndex) -> None:
    """Let pip choose and download wheels and source archives into the bench's output."""
    done = workshop.run(
        bench,
        pip_command(interpreter, "download", "--dest", OUTPUT, "--requirement", f"{INPUT}/requirements.txt"),
        environment=pip_environment(interpreter, index),
        network=network_for(index.indexes, workshop.environment),
    )
    if done.code:
        lines = [line for line in done.output.split("\n") if line.startswith(_MESSAGE_SIGNS)]
        raise ResolutionError(
            f"Python {interpreter.language} packages cannot be resolved:\n" + ("\n".join(lines[-25:]) or done.tail()),
            hint=explain_failure(done.output),
        )


def _keep_wheel(bench: Bench, name: str, index: PackageIndex, find_links: Sequence[str]) -> LockedWheel:
    """Move a wheel that pip downloaded into the cache; its address is the index's, or the folder it was found in."""
    path = os.path.join(bench.output, name)
    sha256, size = _measure(path)
    url = _find_link(name, find_links) or _find_in_index(name, sha256, index).url
    folder = os.path.join(index.cache_dir, "wheels", "sha256")
    make_private_folder(folder)
    _move(path, os.path.join(folder, sha256))
    return describe_wheel(name, url=url, size=size, sha256=sha256, source=None)


def _find_source(bench: Bench, name: str, index: PackageIndex) -> LockedSource:
    path = os.path.join(bench.output, name)
    sha256, _ = _measure(path)
    url = _find_in_index(name, sha256, index).url
    folder = os.path.join(index.cache_dir, "sources", "sha256")
    make_private_folder(folder)
    _move(path, os.path.join(folder, sha256))
    return LockedSource(url=url, sha256=sha256)


def _find_in_index(name: str, sha256: str, index: PackageIndex) -> IndexFile:
    """The index's entry of a file; by its hash, as a name may be there twice (on two indexes)."""
    for project in _possible_projects(name):
        for file in index.files(project):
            if file.name == name and file.sha256 in (sha256, ""):
                return file
    raise ResolutionError(
        f"`{name}` (sha256 {sha256}) is not on {', '.join(index.indexes)}",
        hint="A package that is asked for by an address cannot be locked for this Python; put it on an index.",
    )


def _possible_projects(name: str) -> list[str]:
    """The projects that a file may belong to, likeliest first: in a source archive's name `-` separates and joins."""
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    parts = name.split("-")
    if name.endswith(".whl"):
        return [canonicalize_name(parts[0])]
    return [canonicalize_name("-".join(parts[:count])) for count in range(len(parts) - 1, 0, -1)]


def _find_link(name: str, find_links: Sequence[str]) -> str | None:
    for folder in find_links:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return f"file://{os.path.abspath(path)}"
    return None


def _measure(path: str) -> tuple[str, int]:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), os.path.getsize(path)


def _move(path: str, target: str) -> None:
    """Copy: a rename would keep the container user as owner, and may lead to another file system."""
    unfinished = f"{target}.unfinished-{os.urandom(6).hex()}"
    shutil.copyfile(path, unfinished)
    os.rename(unfinished, target)
