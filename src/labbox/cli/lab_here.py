"""The lab of the folder one is in, for commands that mean it when no container is named."""

import os

from labbox.actions.lab.container import WORKSPACE
from labbox.actions.lab.record import LabFolder, LabRecord, find_lab
from labbox.cli.session import open_settings
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.errors import NotFoundError


def lab_here(folder: str | None = None) -> tuple[LabFolder, LabRecord]:
    """The lab of a folder that is named, else of the current one or the nearest above; NotFoundError for none."""
    if folder is None:
        return find_lab(open_settings(), os.getcwd())
    if not os.path.isdir(folder):
        raise NotFoundError(f"folder `{folder}` does not exist")
    return find_lab(open_settings(), folder, upwards=False)


def lab_container_here(engine: EmbeddedEngine) -> Container | None:
    """The running container of the lab one is in, None without a lab; ConflictError when it does not run."""
    from labbox.actions.lab_status import running_container

    try:
        _, record = lab_here()
    except NotFoundError:
        return None
    return running_container(engine, record)


def folder_inside(record: LabRecord) -> str:
    """Where the current folder is in the lab: below /workspace as it is below the project folder."""
    inside = os.path.relpath(os.path.realpath(os.getcwd()), record.folder)
    return WORKSPACE if inside == "." or inside.startswith("..") else f"{WORKSPACE}/{inside}"
