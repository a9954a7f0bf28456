"""Launching a container's monitor before it is known what it will run.

The command line forks the monitor first and reads its own arguments, image and settings afterwards. In the meantime the
monitor starts the process that will become the container's init (see `departure`) and loads its own code: on two
processors half of a container's start happens at once. When nothing comes of it the channel closes, and both end.
"""

import os
import sys

from labbox.engine.embedded import messages
from labbox.engine.embedded.departure import start_stage
from labbox.lightweight_modules import signal
from labbox.lightweight_typing import Any, NoReturn
from labbox.linux.idmap import Identity, root_identity
from labbox.linux.process import close_from, set_process_name


class Launch:
    """A monitor that waits to be told its container."""

    def __init__(self, channel: messages.Channel) -> None:
        self._channel = channel

    def hand_over(self, assignment: dict[str, Any], descriptors: tuple[int, ...]) -> None:
        """Tell the monitor its container (see `assignment`); the descriptors stay the caller's to close."""
        messages.send_plan(self._channel, assignment, descriptors)
        self._channel.close()

    def close(self) -> None:
        """Nothing comes of it."""
        self._channel.close()


def begin_launch(runtime_dir: str, wanted_mode: str | None) -> Launch:
    """Fork a monitor that prepares itself for a container of the mode that `choose_identity` finds."""
    ours, theirs = messages.make_channel()
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork() == 0:
        _become_monitor(theirs, runtime_dir, wanted_mode)
    theirs.close()
    return Launch(ours)


def _become_monitor(channel: messages.Channel, runtime_dir: str, wanted_mode: str | None) -> NoReturn:
    """In the forked child: leave the terminal's session, prepare, wait, serve."""
    try:
        os.setsid()
        os.chdir("/")
        null = os.open("/dev/null", os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        close_from(3, (channel.fileno(),))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        set_process_name("labbox-monitor")
        _prepare_and_serve(channel, _find_identity(runtime_dir, wanted_mode))
    except BaseException:  # noqa: BLE001  (the process ends here: what is wrong stands in monitor.log)
        import traceback  # noqa: PLC0415  (4 ms that only a fault pays)

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _find_identity(runtime_dir: str, wanted_mode: str | None) -> Identity:
    if os.geteuid() == 0 and wanted_mode in {None, "root"}:
        return root_identity()  # the only one there is for root: no file to read
    from labbox.engine.embedded.modes import choose_identity  # noqa: PLC0415  (while the command line goes on)

    return choose_identity(runtime_dir, wanted=wanted_mode)


def _prepare_and_serve(channel: messages.Channel, identity: Identity) -> None:
    stage = start_stage(identity)
    from labbox.engine.embedded import monitor_process, network, relay_outbound  # noqa: F401, PLC0415  (as above)

    received = messages.receive_plan(channel)
    channel.close()
    if received is None:
        stage.channel.close()
        os.waitpid(stage.pid, 0)
        return
    monitor_process.serve(monitor_process.read_assignment(*received), identity, stage)
