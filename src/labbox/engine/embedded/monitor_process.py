"""The monitor's process once it knows its container: puts together what was handed over, and serves."""

import os
import resource
import socket

from labbox.engine.embedded.assignment import Assignment
from labbox.engine.embedded.departure import Departed
from labbox.engine.embedded.folders import ContainerFolder
from labbox.engine.embedded.monitor import Equipment, Limits, Monitor, Publisher
from labbox.engine.embedded.records import Container
from labbox.engine.specification import spec_from_document, state_from_document
from labbox.lightweight_typing import Any
from labbox.linux.idmap import Identity
from labbox.settings import Settings

_KEPT_BACK = 32


def read_assignment(document: dict[str, Any], descriptors: list[int]) -> Assignment:
    """What `write_assignment` wrote in another process."""
    lock, listener, client, *published = descriptors
    return Assignment(
        container=Container(
            spec_from_document(document["spec"]),
            state_from_document(document["state"]),
            ContainerFolder(document["folder"]),
        ),
        plan=document["plan"],
        settings=Settings(*document["settings"]),
        publisher=_read_publisher(document["ports"], published),
        limits=_read_limits(document["groups"]),
        lock=lock,
        listener=socket.socket(fileno=listener),
        client=socket.socket(fileno=client),
    )


def serve(assignment: Assignment, identity: Identity, stage: Departed) -> None:
    """Be the container's monitor until it has ended. The lock is held as long as this process lives."""
    container, settings = assignment.container, assignment.settings
    errors = os.open(container.folder.monitor_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.dup2(errors, 2)
    os.close(errors)
    _allow_many_descriptors()
    state = container.state._replace(error="", oom_killed=False, restart_count=0, stopped_by_user=False)
    equipment = Equipment(
        identity=identity,
        plan=assignment.plan,
        containers_dir=settings.containers_dir,
        volumes_dir=settings.volumes_dir,
        lock=assignment.lock,
        publisher=assignment.publisher,
        limits=assignment.limits,
    )
    Monitor(container._replace(state=state), equipment, assignment.listener).run(assignment.client, stage)


def _read_publisher(document: list[Any] | None, descriptors: list[int]) -> Publisher | None:
    if document is None:
        return None
    from labbox.engine.embedded.publisher import PortPublisher  # noqa: PLC0415  (only containers with ports)

    return PortPublisher.from_document(document, descriptors)


def _read_limits(document: list[Any] | None) -> Limits | None:
    if document is None:
        return None
    from labbox.engine.embedded.limits import ContainerLimits  # noqa: PLC0415  (only containers with limits)

    return ContainerLimits.from_document(document)


def _allow_many_descriptors() -> None:
    """Every connection of the container's network is two of ours; the command gets the user's own limit back."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # What is kept back lets clients in when the container has taken all the others.
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard - _KEPT_BACK, hard // 2), hard))
