"""One step of making a container's root: what `plan` writes down and `operations` executes."""

from labbox.lightweight_typing import Any

Operation = tuple[str, dict[str, Any]]  # name of the operation, its arguments
