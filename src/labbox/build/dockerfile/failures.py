"""What goes wrong with a Dockerfile, with its line."""

from labbox.errors import LabboxError


class DockerfileError(LabboxError):
    """A Dockerfile cannot be understood; `line` counts from 1, 0 means the whole file."""

    def __init__(self, message: str, *, line: int = 0, hint: str | None = None) -> None:
        place = f"dockerfile parse error on line {line}: " if line else "dockerfile parse error: "
        super().__init__(f"{place}{message}", hint=hint)


class StepError(LabboxError):
    """A step of a build failed; the message says which, and shows what it wrote last."""
