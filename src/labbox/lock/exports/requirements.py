"""A lock as a requirements file with hashes, for `pip install --require-hashes -r`."""

from collections.abc import Sequence

from labbox.lock.lab import LockedWheel

_PUBLIC = "https://files.pythonhosted.org/"


def format_requirements(wheels: Sequence[LockedWheel]) -> str:
    """One line per package: by its version where the public index has it, else by its address."""
    return "".join(f"{requirement_line(wheel)}\n" for wheel in wheels)


def requirement_line(wheel: LockedWheel) -> str:
    """A package exactly; one that labbox built is asked for as its source, since no server has the wheel."""
    if wheel.source is not None and not wheel.url:
        if wheel.source.url.startswith(_PUBLIC):
            return f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.source.sha256}"
        return f"{wheel.name} @ {wheel.source.url} --hash=sha256:{wheel.source.sha256}"
    if wheel.url.startswith(_PUBLIC):
        return f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}"
    return f"{wheel.name} @ {wheel.url} --hash=sha256:{wheel.sha256}"
