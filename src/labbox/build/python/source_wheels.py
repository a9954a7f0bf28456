"""Source archives made wheels, once, in a throw-away container of the lab's system.

The same archive gives the same bytes: pip works under names, times and hashes that never differ, and the wheel is
packed anew. What a build takes from its surroundings (a newer setuptools, a compiler that was not there) can change
it all the same; then a locked hash is not met, and that is said.
"""

import hashlib
import json
import os
import shutil
from urllib.parse import unquote, urlsplit

from labbox.build.python.pip_tools import explain_failure, lay_pip, pip_command, pip_environment
from labbox.build.python.repack_wheel import repack_wheel
from labbox.build.workshop import INPUT, OUTPUT, Workshop, network_for
from labbox.errors import DigestMismatchError, PackageError
from labbox.files import make_private_folder, read_json, write_json
from labbox.lock.lab import LockedInterpreter, LockedSource, LockedWheel
from labbox.packages.python.package_index import PackageIndex

_RECIPE = 1  # of the bytes: a change of the rules is a new number


class SourceBuilder:
    """Builds wheels for one interpreter of a workshop; those built before are taken from the cache."""

    def __init__(self, interpreter: LockedInterpreter, workshop: Workshop, index: PackageIndex) -> None:
        self._interpreter = interpreter
        self._workshop = workshop
        self._index = index

    def build(self, source: LockedSource) -> LockedWheel:
        """The wheel of a source archive; it is in the cache afterwards.

        Raises PackageError with the end of the build's output, and a hint when the system lacks a compiler.
        """
        known = self._find_known(source)
        return known if known is not None else self._build(source)

    def provide(self, wheel: LockedWheel) -> str:
        """The path of a wheel that a lock says was built from a source, built again where the cache lacks it.

        Raises DigestMismatchError when it does not become the locked one.
        """
        path = self._path(wheel.sha256)
        if os.path.exists(path):
            return path
        if wheel.source is None:
            raise PackageError(f"wheel `{wheel.file_name}` was not built from a source")
        built = self._build(wheel.source)
        if built.sha256 != wheel.sha256:
            raise DigestMismatchError(
                f"`{wheel.file_name}`, built again from `{wheel.source.url}`, has sha256 {built.sha256}, "
                f"and the lock says {wheel.sha256}",
                hint="Its build depends on more than its source; lock again: labbox lock --upgrade "
                f"{wheel.name}, or take the wheel from the machine that locked it.",
            )
        return path

    def _build(self, source: LockedSource) -> LockedWheel:
        name = file_name_of(source.url)
        archive = self._index.fetch(source.url, source.sha256, "sources")
        with self._workshop.bench() as bench:
            shutil.copyfile(archive, f"{bench.input}/{name}")
            lay_pip(bench, self._interpreter, self._index)
            done = self._workshop.run(
                bench,
                pip_command(self._interpreter, "wheel", "--no-deps", "--wheel-dir", OUTPUT, f"{INPUT}/{name}"),
                environment=pip_environment(self._interpreter, self._index),
                network=network_for(self._index.indexes, self._workshop.environment),
            )
            made = [file for file in os.listdir(bench.output) if file.endswith(".whl")]
            if done.code or len(made) != 1:
                raise PackageError(
                    f"`{name}` cannot be built for Python {self._interpreter.language}:\n{done.tail()}",
                    hint=explain_failure(done.output),
                )
            return self._keep(f"{bench.output}/{made[0]}", source)

    def _keep(self, made: str, source: LockedSource) -> LockedWheel:
        """Pack the wheel anew into the cache, and note where it comes from."""
        make_private_folder(self._path(""))
        unfinished = self._path(f".unfinished-{os.urandom(6).hex()}")
        try:
            repack_wheel(made, unfinished)
            with open(unfinished, "rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = os.path.getsize(unfinished)
            os.rename(unfinished, self._path(sha256))
        finally:
            if os.path.exists(unfinished):
                os.unlink(unfinished)
        wheel = describe_wheel(os.path.basename(made), url="", size=size, sha256=sha256, source=source)
        note = self._note(source)
        make_private_folder(os.path.dirname(note))
        write_json(note, {"file_name": wheel.file_name, "sha256": sha256, "size": size}, durable=False)
        return wheel

    def _find_known(self, source: LockedSource) -> LockedWheel | None:
        try:
            note = read_json(self._note(source))
            file_name, sha256, size = str(note["file_name"]), str(note["sha256"]), int(note["size"])
        except (OSError, ValueError, KeyError, TypeError):  # not known, or a damaged note
            return None
        if not os.path.exists(self._path(sha256)):
            return None
        return describe_wheel(file_name, url="", size=size, sha256=sha256, source=source)

    def _note(self, source: LockedSource) -> str:
        shaping = [_RECIPE, source.sha256, self._interpreter.version, self._interpreter.abi, os.uname().machine]
        key = hashlib.sha256(json.dumps(shaping).encode()).hexdigest()
        return os.path.join(self._index.cache_dir, "python", "built", f"{key}.json")

    def _path(self, sha256: str) -> str:
        return os.path.join(self._index.cache_dir, "wheels", "sha256", sha256)


def describe_wheel(file_name: str, *, url: str, size: int, sha256: str, source: LockedSource | None) -> LockedWheel:
    """A wheel as a lock names it; PackageError when the file's name is not that of a wheel."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename  # noqa: PLC0415

    try:
        name, version, _, _ = parse_wheel_filename(file_name)
    except InvalidWheelFilename as error:
        raise PackageError(str(error)) from error
    return LockedWheel(
        name=name, version=str(version), file_name=file_name, url=url, size=size, sha256=sha256, source=source
    )


def file_name_of(url: str) -> str:
    """The name of the file that an address leads to."""
    return unquote(urlsplit(url).path.rpartition("/")[2])
