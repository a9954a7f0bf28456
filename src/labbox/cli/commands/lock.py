"""`labbox lock`."""

import os

from labbox.cli.flags import Arguments, Command, Flag, check_count
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import note, print_json
from labbox.cli.session import open_engine
from labbox.lightweight_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labbox.lock.upgrade import Upgrade

COMMAND = Command(
    name="lock",
    usage="[DIR] [NAME...]",
    summary="Choose exact versions of everything a lab needs, and write them to labbox.lock",
    flags=(
        Flag("check", "", "Write nothing; fail when the lock does not fit the definition"),
        JSON_FLAG,
        Flag("quiet", "", "Print nothing but failures", short="q"),
        Flag("upgrade", "", "Take the newest versions: of the packages that are named, else of all", short="U"),
    ),
    description="DIR is the project folder, by default the current one. Versions that are locked\n"
    "already stay where they fit. After --upgrade a word is a package's NAME, and DIR\n"
    "must have a slash: `./DIR`.",
)


def execute(arguments: Arguments) -> int:
    """Lock a project folder; 1 when `--check` finds the lock out of date."""
    from labbox.actions.lock_lab import LockRequest, update_lock
    from labbox.actions.read_definition import read_definition
    from labbox.cli.lab_stages import lab_stages
    from labbox.cli.lock_report import print_changes, update_document

    folder, upgrade = _read(arguments)
    quiet = arguments.switch("quiet") or arguments.switch("json")
    definition = read_definition(folder)
    if not quiet:
        for text in definition.notes:
            note(f"note: {text}")
    request = LockRequest(project=folder, definition=definition, upgrade=upgrade, frozen=arguments.switch("check"))
    with lab_stages(quiet=quiet) as stages:
        update = update_lock(open_engine(), request, os.environ, stages.report)
    if arguments.switch("json"):
        print_json(update_document(update))
    elif not quiet:
        print_changes(update)
    return 0


def _read(arguments: Arguments) -> "tuple[str, Upgrade]":
    """The project folder and what is to be upgraded."""
    from packaging.utils import canonicalize_name

    from labbox.lock.upgrade import Upgrade

    words = arguments.positionals
    if not arguments.switch("upgrade"):
        check_count(COMMAND._replace(maximum=1), len(words))
        return (words[0] if words else os.getcwd()), Upgrade()
    folders = [word for word in words if "/" in word or word in (".", "..")]
    check_count(COMMAND._replace(maximum=1), len(folders))
    # Python's names have one spelling; a Debian name may have `+` and `.`
    names = frozenset(word if "+" in word else canonicalize_name(word) for word in words if word not in folders)
    return (folders[0] if folders else os.getcwd()), Upgrade(everything=not names, names=names)
