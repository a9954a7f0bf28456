"""What `up` and `status` print: links, states, and why a service does not start."""

from labbox.actions.lab.record import LabFolder
from labbox.actions.lab_status import LabStatus, ServiceLine
from labbox.actions.up import UpResult
from labbox.cli.output import note, wants_color
from labbox.cli.tables import align
from labbox.lightweight_typing import Any, Sequence

_TITLES = {"jupyter": "JupyterLab", "tensorboard": "TensorBoard"}
_CHANGES = {
    "none": "is up already",
    "started": "is up again",
    "created": "is up",
    "recreated": "is up, in a new container",
}
_TAIL_LINES = 12


def print_notes(result: UpResult) -> None:
    """What was read and what was passed over, before the links."""
    if result.definition.sources:
        note(f"definition: {', '.join(result.definition.sources)}")
    for text in result.notes:
        note(f"note: {text}")
    note(f"{result.record.name} {_CHANGES[result.change]}")


def print_links(name: str, lines: Sequence[ServiceLine]) -> None:
    """One line per service with a link, then how to get in."""
    rows = [f"{_TITLES.get(line.state.name, line.state.name)}\t{_link_or_state(line)}" for line in lines]
    rows.append(f"terminal\tlabbox shell   (or: labbox exec -it {name} bash)")
    print(align("\n".join(rows), padding=2))


def failed_services(lab: LabFolder, lines: Sequence[ServiceLine]) -> list[str]:
    """The services that do not run; each with the end of its log on stderr."""
    failed = [line.state.name for line in lines if line.state.state in ("failing", "stopped")]
    for line in lines:
        if line.state.name in failed:
            name = line.state.name
            reason = line.state.exit or line.state.health or "it does not answer"
            note(f"\nservice `{name}` does not run: {reason}; the end of its log:")
            note("".join(f"  {text}\n" for text in _tail(lab, name)) + f"more: labbox logs {name}")
    return failed


def lab_document(result: UpResult, lines: Sequence[ServiceLine]) -> dict[str, Any]:
    """What `up --json` prints."""
    record = result.record
    return {
        "name": record.name,
        "folder": record.folder,
        "container": record.container_id,
        "image": record.image,
        "image_id": record.image_id,
        "change": result.change,
        "definition": list(result.definition.sources),
        "notes": list(result.notes),
        "services": [_service_document(line) for line in lines],
    }


def status_document(status: LabStatus) -> dict[str, Any]:
    """What `status --json` prints."""
    container = status.container
    return {
        "name": status.record.name,
        "folder": status.record.folder,
        "container": container.spec.id if container else None,
        "status": container.state.status if container else "down",
        "image": status.record.image,
        "services": [_service_document(line) for line in status.services],
    }


def print_status(status: LabStatus) -> None:
    """The lab in one line, then its services as a table."""
    container = status.container
    state = container.state.status if container else "down"
    print(f"{status.record.name}  {state}  {status.record.folder}")
    if not status.services:
        return
    rows = ["SERVICE\tSTATE\tRESTARTS\tLINK"]
    for line in status.services:
        service = line.state
        rows.append(f"{service.name}\t{_colored(service.state)}\t{service.restarts}\t{line.url}")
    print(align("\n".join(rows)))


def _link_or_state(line: ServiceLine) -> str:
    return line.url if line.state.state in ("ready", "starting") and line.url else line.state.state


def _colored(state: str) -> str:
    import sys

    colors = {"ready": "32", "starting": "33", "failing": "31", "stopped": "31"}
    return f"\x1b[{colors[state]}m{state}\x1b[0m" if state in colors and wants_color(sys.stdout) else state


def _service_document(line: ServiceLine) -> dict[str, Any]:
    state = line.state
    return {
        "name": state.name,
        "state": state.state,
        "port": state.port,
        "url": line.url or None,
        "restarts": state.restarts,
        "exit": state.exit,
    }


def _tail(lab: LabFolder, name: str) -> list[str]:
    try:
        with open(f"{lab.logs}/{name}.log", encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in file][-_TAIL_LINES:]
    except FileNotFoundError:
        return []
