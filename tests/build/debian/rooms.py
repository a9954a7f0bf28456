"""Functions called in a real chamber around an empty folder, with the programs of this machine where wanted."""

import os
from collections.abc import Callable
from typing import TypeVar

from labbox.build.debian.chamber import call_as_system_root, call_in_chamber
from labbox.engine.embedded.modes import find_identity
from labbox.linux import mounts

Result = TypeVar("Result")


def call_in_room(folder: str, function: Callable[[], Result], *, with_programs: bool = False) -> Result:
    """The result of a function that sees `folder` as its root."""

    def prepare() -> str:
        if with_programs:
            for name in ("bin", "lib", "lib64"):
                os.symlink(f"usr/{name}", f"{folder}/{name}")
            os.mkdir(f"{folder}/usr")
            mounts.mount("/usr", f"{folder}/usr", "none", mounts.MS_BIND | mounts.MS_REC)
        return folder

    return call_as_system_root(
        find_identity(), lambda report: call_in_chamber(prepare, lambda _: function(), report), _ignore
    )


def _ignore(_stage: str, _done: int, _total: int) -> None:
    return
