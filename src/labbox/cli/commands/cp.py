"""`labbox cp`."""

import os
import sys

from labbox.actions import copy_files
from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import LabboxError, NotFoundError, UsageError

COMMAND = Command(
    name="cp",
    usage="CONTAINER:SRC_PATH DEST_PATH|- or SRC_PATH|- CONTAINER:DEST_PATH",
    summary="Copy files/folders between a container and the local filesystem",
    flags=(
        Flag("archive", "", "Archive mode (copy all uid/gid information)", short="a"),
        Flag("follow-link", "", "Always follow symbol link in SRC_PATH", short="L"),
        Flag("quiet", "", "Accepted for docker's sake: nothing is printed", short="q"),
    ),
    minimum=2,
    maximum=2,
    aliases=("container cp",),
    description="Use '-' as the source to read a tar archive from stdin and extract it to a\n"
    "directory destination in a container. Use '-' as the destination to stream a\n"
    "tar archive of a container source to stdout.",
)


def execute(arguments: Arguments) -> int:
    """Copy in one direction or the other; nothing is printed."""
    source, target = arguments.positionals
    source_container, source_path = split_container(source)
    target_container, target_path = split_container(target)
    if source_container and target_container:
        raise LabboxError("copying between containers is not supported", hint="copy to this machine in between")
    if not source_container and not target_container:
        raise LabboxError("must specify at least one container source", hint="write it as CONTAINER:PATH")
    engine = open_engine()
    if source_container:
        _copy_out(engine, source_container, source_path, target_path, arguments)
    else:
        _copy_in(engine, source_path, target_container, target_path, arguments)
    return 0


def split_container(text: str) -> tuple[str, str]:
    """`web:/etc` as container and path; a path of this machine has no container (docker/cli, container/cp.go)."""
    if text.startswith(("/", ".")) or text == "-":
        return "", text
    container, colon, path = text.partition(":")
    if not colon:
        return "", text
    if not path:
        raise UsageError("bad parameter: path cannot be empty", exit_code=1)
    return container, path


def _copy_out(engine: EmbeddedEngine, name: str, source: str, target: str, arguments: Arguments) -> None:
    container = engine.find(name)
    keep_owners, follow = arguments.switch("archive"), arguments.switch("follow-link")
    place = copy_files.look_in_container(engine, container, source)
    if not place.exists and not _is_dangling_link_possible(source, follow=follow):
        raise NotFoundError(f"Could not find the file {source} in container {name}")
    try:
        if target == "-":
            if os.isatty(1):
                raise LabboxError("cowardly refusing to write a tar archive to a terminal", hint="redirect it")
            base = os.path.basename(source.rstrip("/").removesuffix("/."))
            copy_files.pack_out(engine, container, source, base, 1, None, follow=follow)
            return
        landing = copy_files.choose_landing(source, place.is_folder, target, copy_files.look_at_host(target))
        copy_files.copy_out(engine, container, source, landing, keep_owners=keep_owners, follow=follow)
    except FileNotFoundError as error:
        raise NotFoundError(f"Could not find the file {source} in container {name}") from error


def _copy_in(engine: EmbeddedEngine, source: str, name: str, target: str, arguments: Arguments) -> None:
    container = engine.find(name)
    path = target if target.startswith("/") else f"/{target}"
    place = copy_files.look_in_container(engine, container, path)
    if source == "-":
        if not place.is_folder:
            raise NotFoundError(f"Could not find the folder {target} in container {name}")
        copy_files.unpack_in(engine, container, sys.stdin.buffer, path)
        return
    if not os.path.lexists(source):
        raise NotFoundError(f"lstat {os.path.abspath(source)}: no such file or directory")
    if not place.exists and not place.parent_exists:
        raise NotFoundError(f"Could not find the folder {os.path.dirname(path.rstrip('/'))} in container {name}")
    landing = copy_files.choose_landing(source, _is_folder(source, arguments), path, place)
    copy_files.copy_in(
        engine,
        container,
        source,
        landing,
        keep_owners=arguments.switch("archive"),
        follow=arguments.switch("follow-link"),
    )


def _is_folder(source: str, arguments: Arguments) -> bool:
    if os.path.islink(source.rstrip("/")) and not source.endswith(("/", "/.")) and not arguments.switch("follow-link"):
        return False
    return os.path.isdir(source)


def _is_dangling_link_possible(source: str, *, follow: bool) -> bool:
    """A link that leads nowhere is copied as the link it is."""
    return not follow and not source.endswith("/")
