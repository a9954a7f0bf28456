"""The stages of making a lab, as people call them."""

from labbox.cli.stages import Stages

_TITLES = {
    "index": "reading Debian's index",
    "resolve": "choosing Python packages",
    "build wheels": "building wheels",
    "system download": "downloading the system",
    "unpack": "unpacking the system",
    "configure": "configuring the system",
    "finish": "writing the system",
    "download": "downloading wheels",
    "layers": "unpacking wheels",
    "bytecode": "compiling Python code",
    "after-create": "running after_create",
    "services": "starting services",
}


def lab_stages(*, quiet: bool = False) -> Stages:
    """Progress of making a lab; nothing is shown when `quiet`."""
    return Stages(_TITLES, in_bytes=("system download", "download", "layers"), quiet=quiet)
