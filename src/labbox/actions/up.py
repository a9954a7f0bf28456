"""`labbox up`: from a project folder to a running lab. Definition → lock → image → container → services.

Every step looks first whether it is done already, so a second `up` does nothing, and one that was cut off goes on.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from labbox.actions.lab.container import (
    LabContainer,
    find_container,
    is_same,
    replace_container,
    specify,
    start_container,
)
from labbox.actions.lab.ports import choose_ports
from labbox.actions.lab.prepare import LabRequest, PreparedLab, prepare_lab
from labbox.actions.lab.record import LabFolder, LabRecord, every_lab, lab_folder
from labbox.certificates import host_ca_bundle
from labbox.definition.values import Definition
from labbox.engine.embedded import cdi, gpus
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.engine.specification import ContainerSpec, GpuRequest
from labbox.errors import LabboxError
from labbox.services.plan import ServicePlan
from labbox.services.status import ServiceState, read_status, wait_for_services
from labbox.store.layers import LayerStore

# Called with a stage's name, how much of it is done, and how much there is.
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpRequest:
    """What is asked for; `recreate`: the container anew although it need not be; `wait`: until the services answer."""

    lab: LabRequest
    recreate: bool = False
    wait: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class UpResult:
    """The lab as it runs now. `change` says what was done: `none`, `started`, `created` or `recreated`."""

    record: LabRecord
    definition: Definition
    change: str
    services: tuple[ServiceState, ...]
    notes: tuple[str, ...]


def up(
    engine: EmbeddedEngine,
    request: UpRequest,
    environment: Mapping[str, str],
    report: Report,
    say: Callable[[str], None],
) -> UpResult:
    """Lock, build, start and wait; `say` gets sentences for the user, `report` the progress of stages.

    Raises what the steps raise; what was done until then is kept, and the next call goes on from there.
    """
    lab = lab_folder(engine.settings, request.lab.project)
    layers = LayerStore(engine.settings.store_dir, engine.identity)
    with lab.changing(lambda: say("another labbox works on this lab: waiting for it")), layers.creating():
        prepared = prepare_lab(engine, lab, request.lab, environment, report)
        record, change = _run(engine, lab, prepared, environment, recreate=request.recreate)
    services = _wait(engine, lab, record, prepared.plan, report) if request.wait else _look(lab, prepared.plan)
    return UpResult(
        record=record,
        definition=prepared.definition,
        change=change,
        services=services,
        notes=prepared.notes,
    )


def _wait(
    engine: EmbeddedEngine, lab: LabFolder, record: LabRecord, plan: ServicePlan, report: Report
) -> tuple[ServiceState, ...]:
    states = read_status(lab.status)
    if len(states) == len(plan.names) and all(state.state == "ready" for state in states):
        return states  # a second `up` has nothing to report

    def is_alive() -> bool:
        container = find_container(engine, record.container_id)
        return container is not None and container.is_running

    return wait_for_services(lab.status, plan, report, is_alive=is_alive)


def _look(lab: LabFolder, plan: ServicePlan) -> tuple[ServiceState, ...]:
    """The services as they are now; those that have said nothing yet are starting."""
    known = {state.name: state for state in read_status(lab.status)}
    unknown = {name: ServiceState(name, "starting", port=plan.ports.get(name)) for name in plan.names}
    return tuple((unknown | known).values())


def _run(
    engine: EmbeddedEngine, lab: LabFolder, prepared: PreparedLab, environment: Mapping[str, str], *, recreate: bool
) -> tuple[LabRecord, str]:
    """The lab's container, running, as the definition says; the record of it, and what was done."""
    record, plan = prepared.record, prepared.plan
    old = find_container(engine, record.container_id)
    runs = old is not None and old.is_running
    ports = dict(record.ports)
    if not runs or set(ports) != set(plan.ports):
        others = {
            port
            for other, known in every_lab(engine.settings)
            if other != lab and os.path.isdir(known.folder)
            for port in known.ports.values()
        }
        ports = choose_ports(plan.ports, record.ports, others)
    spec = specify(
        engine,
        LabContainer(
            definition=prepared.definition,
            project=record.folder,
            folder=lab,
            image=prepared.image.image,
            image_name=prepared.image.name,
            derived=prepared.image.derived,
            service_ports=plan.ports,
            host_ports=ports,
            has_certificates=_prepare_run_folder(lab, environment),
            has_gpu=_has_gpu(),
        ),
    )
    record = replace(record, ports=ports)
    if old is not None and is_same(old, spec) and not recreate:
        lab.write(record)
        if runs:
            return record, "none"
        _start(engine, lab, old, spec)
        return record, "started"
    container = replace_container(engine, old, spec)
    record = replace(record, container_id=container.spec.id)
    lab.write(record)
    _start(engine, lab, container, spec)
    return record, "created" if old is None else "recreated"


def _start(engine: EmbeddedEngine, lab: LabFolder, container: Container, spec: ContainerSpec) -> None:
    lab.forget_status()
    start_container(engine, container, spec.ports)


def _prepare_run_folder(lab: LabFolder, environment: Mapping[str, str]) -> bool:
    """Make the token and a copy of the host's certificates; False when the host has none."""
    lab.token()
    bundle = host_ca_bundle(environment)
    if bundle is None:
        return False
    target = os.path.join(lab.run, "ca.crt")
    if _digest(bundle) != _digest(target):
        shutil.copyfile(bundle, f"{target}.new")
        os.chmod(f"{target}.new", 0o644)
        os.rename(f"{target}.new", target)
    return True


def _digest(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except FileNotFoundError:
        return b""


def _has_gpu() -> bool:
    """True when the engine could give a container this host's GPUs."""
    try:
        return cdi.find_devices(GpuRequest(number=-1)) is not None or bool(gpus.list_gpus())
    except (LabboxError, OSError):
        return False
