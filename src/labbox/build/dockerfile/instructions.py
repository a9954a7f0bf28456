"""The instructions of a Dockerfile as values. Texts are as written: variables are replaced when a step is run."""

from dataclasses import dataclass
from typing import Literal

from labbox.build.dockerfile.statements import Heredoc, Statement

NetworkMode = Literal["default", "none", "host"]
RunMountKind = Literal["bind", "cache", "tmpfs", "secret", "ssh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """Where a stage starts: an image, an earlier stage, or `scratch`."""

    statement: Statement
    image: str
    stage_name: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """Variables of the build: names with their defaults, None where there is none."""

    statement: Statement
    pairs: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMount:
    """`RUN --mount`: what a command sees besides the image's files."""

    kind: RunMountKind = "bind"
    target: str = ""
    source: str = ""
    from_stage: str = ""
    read_only: bool = False
    required: bool = False
    id: str = ""
    environment: str = ""
    sharing: Literal["shared", "private", "locked"] = "shared"
    mode: int | None = None
    uid: int = 0
    gid: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A command: `words` in exec form, else `script` for the shell. A `program` is a script with its own `#!`."""

    statement: Statement
    words: tuple[str, ...] | None = None
    script: str = ""
    program: str = ""
    mounts: tuple[RunMount, ...] = ()
    network: NetworkMode = "default"
    security: Literal["sandbox", "insecure"] = "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """COPY, or ADD with `is_add`: sources and destination, here-documents among the sources by their names."""

    statement: Statement
    sources: tuple[str, ...]
    destination: str
    heredocs: tuple[Heredoc, ...] = ()
    is_add: bool = False
    from_stage: str = ""
    owner: str = ""
    mode: str = ""
    link: bool = False
    parents: bool = False
    excludes: tuple[str, ...] = ()
    checksum: str = ""
    keeps_git_dir: bool = False
    unpack: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer:
    """The image's author, in the old way."""

    statement: Statement
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingDirectory:
    """WORKDIR: the only line of configuration that also makes a folder."""

    statement: Statement
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    """Any instruction that changes nothing but the image's configuration (`oci.config_changes`)."""

    statement: Statement

    @property
    def text(self) -> str:
        """The line as `apply_changes` wants it."""
        return self.statement.written


Instruction = From | Arg | Run | Copy | Maintainer | WorkingDirectory | Configure
