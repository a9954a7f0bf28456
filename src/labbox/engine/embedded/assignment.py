"""What a monitor is told when its container is known: plain values and descriptors that cross to another process."""

from labbox.engine.embedded.records import Container
from labbox.engine.specification import spec_to_document, state_to_document
from labbox.lightweight_modules import socket
from labbox.lightweight_typing import Any, NamedTuple
from labbox.settings import Settings


class Assignment(NamedTuple):
    """A container to run, what it was given by this host, and the monitor's own descriptors."""

    container: Container
    plan: dict[str, Any]
    settings: Settings
    publisher: Any  # a PortPublisher, or None
    limits: Any  # a ContainerLimits, or None
    lock: int
    listener: socket.socket
    client: socket.socket


def write_assignment(assignment: Assignment) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Plain values, and the descriptors that belong to them in the order `read_assignment` expects."""
    publisher, limits = assignment.publisher, assignment.limits
    document = {
        "spec": spec_to_document(assignment.container.spec),
        "state": state_to_document(assignment.container.state),
        "folder": assignment.container.folder.path,
        "plan": assignment.plan,
        "settings": tuple(assignment.settings),
        "ports": publisher.to_document() if publisher else None,
        "groups": limits.to_document() if limits else None,
    }
    own = (assignment.lock, assignment.listener.fileno(), assignment.client.fileno())
    return document, (*own, *(publisher.descriptors if publisher else ()))
