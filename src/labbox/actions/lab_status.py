"""`labbox status`: whether a lab runs, and what each of its services does."""

from dataclasses import dataclass

from labbox.actions.lab.container import find_container
from labbox.actions.lab.record import LabFolder, LabRecord
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.records import Container
from labbox.errors import ConflictError
from labbox.services.links import service_link
from labbox.services.status import ServiceState, read_status


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLine:
    """A service of a lab: its state, and the link by which its owner opens it ("" without a port)."""

    state: ServiceState
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStatus:
    """A lab as it is now; `container` is None when it has none, and `services` is empty while it does not run."""

    record: LabRecord
    container: Container | None
    services: tuple[ServiceLine, ...]

    @property
    def is_running(self) -> bool:
        """True while the lab's container runs."""
        return self.container is not None and self.container.is_running


def lab_status(engine: EmbeddedEngine, lab: LabFolder, record: LabRecord) -> LabStatus:
    """The state of a lab; nothing is changed."""
    container = find_container(engine, record.container_id)
    services: tuple[ServiceLine, ...] = ()
    if container is not None and container.is_running:
        services = service_lines(lab, record, read_status(lab.status))
    return LabStatus(record=record, container=container, services=services)


def service_lines(lab: LabFolder, record: LabRecord, states: tuple[ServiceState, ...]) -> tuple[ServiceLine, ...]:
    """Services with their links."""
    token = lab.token()
    return tuple(
        ServiceLine(state=state, url=service_link(state.name, record.ports.get(state.name), token)) for state in states
    )


def running_container(engine: EmbeddedEngine, record: LabRecord) -> Container:
    """The lab's container; ConflictError when it does not run."""
    container = find_container(engine, record.container_id)
    if container is None or not container.is_running:
        raise ConflictError(f"lab `{record.name}` does not run", hint=f"start it: labbox up {record.folder}")
    return container
