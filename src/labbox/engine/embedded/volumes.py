"""Named volumes: folders that outlive containers."""

import os

from labbox.engine.embedded.names import is_name
from labbox.errors import UsageError
from labbox.lightweight_typing import NamedTuple


class Volume(NamedTuple):
    """A named volume: its folder holds `_data`, what containers see, and `volume.json`."""

    name: str
    folder: str

    @property
    def data(self) -> str:
        """The folder that containers mount."""
        return os.path.join(self.folder, "_data")


def volume_at(volumes_dir: str, name: str) -> Volume:
    """The volume of that name, whether it exists or not; UsageError for a name docker would refuse."""
    if not is_name(name):
        raise UsageError(
            f"`{name}` includes invalid characters for a local volume name, "
            "only `[a-zA-Z0-9][a-zA-Z0-9_.-]` are allowed",
            hint="give an absolute path (or ./folder) to mount a folder of the host",
        )
    return Volume(name=name, folder=os.path.join(volumes_dir, name))
