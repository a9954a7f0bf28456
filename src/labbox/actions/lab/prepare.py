"""Everything of a lab short of its container: definition → lock → services → image."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from labbox.actions.lab.container import check_container
from labbox.actions.lab.image import LabImage, provide_image
from labbox.actions.lab.record import LabFolder, LabRecord
from labbox.actions.lock_lab import LockRequest, update_lock
from labbox.actions.read_definition import read_definition
from labbox.definition.names import make_lab_name
from labbox.definition.values import Definition
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.lock.lab import LabLock
from labbox.services.plan import ServicePlan, plan_services

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabRequest:
    """A project folder; another name for its lab; `frozen`: the lock as it is; `build`: the image again."""

    project: str
    name: str | None = None
    frozen: bool = False
    build: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedLab:
    """A lab that can be started; `record` is what is known of it, with the image. `notes` are for the user."""

    definition: Definition
    lock: LabLock
    plan: ServicePlan
    image: LabImage
    record: LabRecord
    notes: tuple[str, ...]


def prepare_lab(
    engine: EmbeddedEngine, lab: LabFolder, request: LabRequest, environment: Mapping[str, str], report: Report
) -> PreparedLab:
    """Lock what is not locked and build what is not built. Hold the lab alone meanwhile (`LabFolder.changing`)."""
    project = os.path.realpath(request.project)
    known = lab.read() or LabRecord(folder=project, name="")
    given_name = request.name or known.given_name
    definition = read_definition(project)
    if given_name:
        definition = replace(definition, name=make_lab_name(given_name))
    check_container(engine, definition, project, known)
    lock_request = LockRequest(project=project, definition=definition, frozen=request.frozen)
    update = update_lock(engine, lock_request, environment, report)
    plan = plan_services(definition, update.lock)
    image = provide_image(engine, definition, update.lock, plan, known, environment, report, again=request.build)
    return PreparedLab(
        definition=definition,
        lock=update.lock,
        plan=plan,
        image=image,
        record=replace(known, folder=project, name=definition.name, given_name=given_name, **image.facts()),
        notes=(*definition.notes, *_absent_services(definition), *update.notes, *image.notes),
    )


def _absent_services(definition: Definition) -> list[str]:
    wanted = {"ssh": definition.services.ssh, "desktop": definition.services.desktop}
    return [
        f"this version serves no {name}: `services.{name}` is passed over" for name, is_on in wanted.items() if is_on
    ]
