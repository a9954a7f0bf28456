"""`add` and `remove`: change the definition, lock, print what changed."""

import os

from labbox.actions.change_packages import PackageChange, change_packages
from labbox.cli.flags import Arguments
from labbox.cli.lab_stages import lab_stages
from labbox.cli.lock_report import print_changes, update_document
from labbox.cli.output import note, print_json
from labbox.cli.session import open_engine


def change_and_print(arguments: Arguments, *, remove: bool) -> int:
    """Add or remove the packages that the command line names."""
    quiet = arguments.switch("quiet") or arguments.switch("json")
    change = PackageChange(
        project=arguments.text("directory") or os.getcwd(),
        packages=arguments.positionals,
        remove=remove,
        system=arguments.switch("system"),
    )
    with lab_stages(quiet=quiet) as stages:
        done = change_packages(open_engine(), change, os.environ, stages.report)
    if arguments.switch("json"):
        print_json({"files": list(done.files), **update_document(done.update)})
    elif not quiet:
        print_changes(done.update)
        note(f"changed: {', '.join(done.files) or 'nothing'}; next: labbox up")
    return 0
