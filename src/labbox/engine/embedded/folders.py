"""Where a container keeps its things on disk: one folder per container, one name per link."""

import os

from labbox.lightweight_typing import NamedTuple


class ContainerFolder(NamedTuple):
    """The paths of one container. Formats: docs/formats.md, "Container"."""

    path: str

    @property
    def specification(self) -> str:
        """What the container is to be (JSON); never changes but for its name."""
        return os.path.join(self.path, "config.json")

    @property
    def state(self) -> str:
        """What has become of it (JSON), replaced at every change."""
        return os.path.join(self.path, "state.json")

    @property
    def lock(self) -> str:
        """Held by the monitor as long as it lives, and by whoever changes a container that does not run."""
        return os.path.join(self.path, "lock")

    @property
    def socket(self) -> str:
        """Where the monitor listens."""
        return os.path.join(self.path, "monitor.sock")

    @property
    def log(self) -> str:
        """What the container has written."""
        return os.path.join(self.path, "container.log")

    @property
    def monitor_log(self) -> str:
        """What went wrong in the monitor; empty, else a fault of labbox."""
        return os.path.join(self.path, "monitor.log")

    @property
    def etc(self) -> str:
        """hosts, hostname and resolv.conf, mounted into the container."""
        return os.path.join(self.path, "etc")

    @property
    def layer(self) -> str:
        """What the container wrote: `upper` and overlay's `work`, owned by ids of the container."""
        return os.path.join(self.path, "layer")

    @property
    def upper(self) -> str:
        """The writable layer."""
        return os.path.join(self.layer, "upper")

    @property
    def work(self) -> str:
        """Overlay's own folder."""
        return os.path.join(self.layer, "work")

    @property
    def merged(self) -> str:
        """The mount point of the root file system, used only inside the container's own namespace."""
        return os.path.join(self.path, "merged")


def names_folder(containers_dir: str) -> str:
    """One symbolic link per container name, made atomically: two containers never share a name."""
    return os.path.join(containers_dir, "names")
