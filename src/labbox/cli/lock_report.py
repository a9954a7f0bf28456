"""What `lock`, `add` and `remove` print: which packages came, went and changed."""

from labbox.actions.lock_lab import LockUpdate
from labbox.cli.output import note
from labbox.lightweight_typing import Any
from labbox.lock.lab import LabLock
from labbox.lock.system import SystemLock


def changes(update: LockUpdate) -> list[tuple[str, str, str, str]]:
    """Every package that differs: its part of the lock, its name, the old version and the new, empty for none."""
    before = _versions(update.old) if update.old is not None else {}
    after = _versions(update.lock)
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return [(part, name, before.get((part, name), ""), after.get((part, name), "")) for part, name in keys]


def print_changes(update: LockUpdate) -> None:
    """One line per package that differs; only a summary of a lock that is new."""
    if update.old is not None:
        for part, name, old, new in changes(update):
            where = "" if part == "python" else f" ({part})"
            if not old:
                print(f"+ {name} {new}{where}")
            elif not new:
                print(f"- {name} {old}{where}")
            else:
                print(f"~ {name} {old} -> {new}{where}")
    for text in update.notes:
        note(f"note: {text}")
    lock = update.lock
    state = "is current" if update.lock == update.old else "written"
    debs = len(lock.additions) + (len(lock.system.debs) if isinstance(lock.system, SystemLock) else 0)
    note(
        f"labbox.lock {state}: Python {lock.interpreter.version}, {len(lock.packages)} Python packages, "
        f"{len(lock.services)} for services, {debs} system packages"
    )


def update_document(update: LockUpdate) -> dict[str, Any]:
    """The same for machines."""
    lock = update.lock
    return {
        "changed": update.lock != update.old,
        "python": lock.interpreter.version,
        "packages": len(lock.packages),
        "services": len(lock.services),
        "additions": len(lock.additions),
        "changes": [
            {"part": part, "name": name, "old": old or None, "new": new or None}
            for part, name, old, new in changes(update)
        ],
        "notes": list(update.notes),
    }


def _versions(lock: LabLock) -> dict[tuple[str, str], str]:
    found = {("python", wheel.name): wheel.version for wheel in lock.packages}
    found |= {("services", wheel.name): wheel.version for wheel in lock.services}
    debs = (*lock.system.debs, *lock.additions) if isinstance(lock.system, SystemLock) else lock.additions
    return found | {("system", deb.name): deb.version for deb in debs}
