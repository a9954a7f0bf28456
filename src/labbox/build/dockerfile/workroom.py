"""What every stage of a build works with, and the values that it is asked for with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from labbox.build.dockerfile.cache import StepCache
from labbox.build.dockerfile.ignore import NO_RULES, IgnoreRules
from labbox.build.dockerfile.layering import Layerer
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.oci.config import ImageConfig
from labbox.oci.descriptor import Descriptor


class BuildReport(Protocol):
    """Told what a build does; every call may come from another process, and carries whole lines."""

    def step(self, stage: str, number: int, total: int, text: str, *, is_cached: bool) -> None:
        """A step begins, or was found in the cache."""

    def output(self, stage: str, data: bytes) -> None:
        """What a command writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageImage:
    """An image without a name: a stage's, or the one that a stage starts from."""

    config: ImageConfig
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """`--secret`: a file of this host, or the value of one of its variables."""

    path: str = ""
    variable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workroom:
    """Tools and wishes of one build. `find_image` gets an image by name, with its layers unpacked here."""

    engine: EmbeddedEngine
    layerer: Layerer
    cache: StepCache
    report: BuildReport
    find_image: Callable[[str, str], StageImage]
    environment: Mapping[str, str]
    scratch: str
    file_name: str = "Dockerfile"
    context: str = ""
    ignore: IgnoreRules = NO_RULES
    escape: str = "\\"
    epoch: int | None = None
    network: str = "auto"
    build_arguments: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
