"""`labbox open`."""

import os
import shutil
import subprocess

from labbox.cli.flags import Arguments, Command
from labbox.cli.session import open_engine
from labbox.errors import ConflictError, NotFoundError

COMMAND = Command(
    name="open",
    usage="[SERVICE]",
    summary="Open a service of this folder's lab in the browser, JupyterLab by default",
    maximum=1,
)


def execute(arguments: Arguments) -> int:
    """Print a service's link, and open it where there is a browser to open it in."""
    from labbox.actions.lab_status import lab_status, running_container
    from labbox.cli.lab_here import lab_here

    lab, record = lab_here()
    engine = open_engine()
    running_container(engine, record)
    links = {line.state.name: line.url for line in lab_status(engine, lab, record).services if line.url}
    if not links:
        raise ConflictError(f"lab `{record.name}` has no service with a link", hint="see `labbox status`")
    name = arguments.positionals[0] if arguments.positionals else next(iter(links))
    if name not in links:
        raise NotFoundError(f"lab `{record.name}` has no service `{name}`", hint=f"it has {', '.join(links)}")
    print(links[name], flush=True)
    _open(links[name])
    return 0


def _open(url: str) -> None:
    """Hand the link to the desktop; on a machine without one, the printed link is all there is."""
    opener = next((name for name in ("xdg-open", "wslview", "gio") if shutil.which(name)), None)
    if opener is None or not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or opener == "wslview"):
        return
    words = [opener, "open", url] if opener == "gio" else [opener, url]
    subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
