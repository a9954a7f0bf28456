"""`labbox down`: the lab's container is stopped and removed; project, lock, image, named volumes and links stay."""

from dataclasses import replace

from labbox.actions.lab.container import find_container
from labbox.actions.lab.record import LabFolder, LabRecord
from labbox.engine.embedded.engine import EmbeddedEngine


def down(engine: EmbeddedEngine, lab: LabFolder, *, timeout_seconds: float | None = None) -> LabRecord:
    """Remove the container of a lab; one that is gone is fine. Returns the record as it was before."""
    with lab.changing(lambda: None):
        record = lab.read()
        if record is None:
            return LabRecord(folder="", name="")
        container = find_container(engine, record.container_id)
        if container is not None:
            if container.is_running:
                engine.stop(container, timeout_seconds=timeout_seconds)
                container = engine.find(container.spec.id)
            engine.remove(container, force=True, volumes=True)
        lab.forget_status()
        lab.write(replace(record, container_id=""))
        return record
