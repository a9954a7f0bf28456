"""The monitor: one process per container, from its start to its end record.

It starts the container's processes, carries bytes between them and whoever is attached, writes the log, serves the
network relay, restarts by policy and, when all is over, writes how it ended. It holds the container's lock as long as
it lives; when it dies the kernel kills the container with it (PR_SET_PDEATHSIG), so that nothing outlives its record.
"""

import os
import select
import signal
import socket
from time import monotonic

from labbox.engine.embedded import frames, messages, records, removal
from labbox.engine.embedded.clients import Clients
from labbox.engine.embedded.departure import Departed, start_stage
from labbox.engine.embedded.failures import exit_code_of
from labbox.engine.embedded.logs import LogWriter
from labbox.engine.embedded.loop import READABLE, Loop, Timer
from labbox.engine.embedded.pipes import ContainerStreams
from labbox.engine.embedded.records import Container
from labbox.engine.embedded.timestamps import now_text
from labbox.engine.specification import PortBinding
from labbox.lightweight_modules import suppress
from labbox.lightweight_typing import Any, NamedTuple, Protocol
from labbox.linux import process
from labbox.linux.idmap import Identity
from labbox.processes import identify, list_children

_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 60.0
_LASTING_RUN_SECONDS = 10.0
_SECONDS_BEFORE_PORTS_AGAIN = 1.0


class Publisher(Protocol):
    """Ports of the host that wait for a container's network."""

    ports: tuple[PortBinding, ...]

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Its sockets."""

    def to_document(self) -> list[Any]:
        """Plain values from which another process, given the descriptors, makes it again."""

    def serve(self, pid: int, *, joins_user_namespace: bool) -> None:
        """Begin to pass connections on into the network of process `pid`."""

    @property
    def relay_pid(self) -> int:
        """The process that serves; 0 when there is none."""

    def pause(self) -> None:
        """The container has ended; the ports stay taken."""

    def close(self) -> None:
        """Give the ports back."""


class Limits(Protocol):
    """The cgroups a container lives in."""

    def to_document(self) -> list[Any]:
        """Plain values from which another process makes it again."""

    def was_out_of_memory(self) -> bool:
        """True when the kernel has killed one of its processes for memory."""

    def close(self) -> None:
        """Remove them."""


class Equipment(NamedTuple):
    """What the monitor is given by the command that starts it, and closes at the end."""

    identity: Identity
    plan: dict[str, Any]
    containers_dir: str
    volumes_dir: str
    lock: int
    publisher: Publisher | None = None
    limits: Limits | None = None


class Monitor:
    """Runs one container in this process; see the module's sentence."""

    def __init__(self, container: Container, equipment: Equipment, listener: socket.socket) -> None:
        self._container = container
        self._equipment = equipment
        self._loop = Loop()
        self._clients = Clients(self._loop, listener, self)
        self._log = LogWriter(container.folder.log)
        self._streams: ContainerStreams | None = None
        self._channel: messages.Channel | None = None
        self._relay: Any = None  # an OutboundRelay, imported when there is a network
        self._supervisors: list[Any] = []  # OwnershipSupervisors, imported when there is one id only
        self._stage = 0
        self._stage_pidfd = -1
        self._ports_pidfd = -1
        self._pid = 0
        self._pidfd = -1
        self._failure: tuple[int, str] | None = None
        self._kill_timer: Timer | None = None
        self._restart_timer: Timer | None = None
        self._delay_seconds = _FIRST_DELAY_SECONDS
        self._started_at = 0.0
        self._ended_by_user = False

    def run(self, first_client: socket.socket, stage: Departed) -> None:
        """Serve until the container has ended for good and everything of it has been put away."""
        process.prctl(process.PR_SET_CHILD_SUBREAPER, 1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._loop.on_signal(number, self._stop_with_host)
        self._clients.add(first_client)
        self._start(stage)
        self._loop.run()

    # What clients ask for.

    def write_input(self, data: bytes) -> bool:
        """Bytes for the container's standard input; False while it takes no more."""
        return self._streams is None or self._streams.write_input(data)

    def end_input(self) -> None:
        """No more input will come."""
        if self._streams is not None:
            self._streams.end_input()

    def resize(self, rows: int, columns: int) -> None:
        """The attached terminal has another size."""
        if self._streams is not None:
            self._streams.resize(rows, columns)

    def serve_ownership(self, listener: int) -> None:
        """Answer changes of owner that the container's processes ask for (mode `single`)."""
        from labbox.linux.ownership import OwnershipSupervisor  # noqa: PLC0415  (not needed in other modes)

        supervisor = OwnershipSupervisor(listener)
        self._supervisors.append(supervisor)

        def handle(_events: int) -> None:
            if not supervisor.handle():
                self._dismiss(supervisor)

        self._loop.watch(listener, READABLE, handle)

    def resume_output(self) -> None:
        """A slow client has caught up."""
        if self._streams is not None:
            self._streams.resume()

    def send_signal(self, number: int) -> None:
        """Send a signal to the container's command (by way of init)."""
        if number in {signal.SIGKILL, signal.SIGTERM}:
            self._ended_by_user = True
            if self._give_up_restart():
                return
        if self._pidfd >= 0:
            try:
                process.pidfd_send_signal(self._pidfd, number)
            except ProcessLookupError:
                return

    def stop(self, number: int, timeout_seconds: float) -> None:
        """Ask the command to end by a signal and kill it after the time-out (negative: never)."""
        self._ended_by_user = True
        if self._give_up_restart():
            return
        self.send_signal(number)
        if timeout_seconds >= 0:
            self._kill_after(timeout_seconds)

    def _kill_after(self, seconds: float) -> None:
        """Kill the command then, unless that is due earlier already: who asked first may have more patience."""
        if self._kill_timer is not None:
            if self._kill_timer.deadline <= monotonic() + seconds:
                return
            self._kill_timer.cancel()
        self._kill_timer = self._loop.call_later(seconds, lambda: self.send_signal(signal.SIGKILL))

    def _give_up_restart(self) -> bool:
        """End for good when the container waits to be started again; False when it does not."""
        if self._restart_timer is None:
            return False
        self._restart_timer.cancel()
        self._restart_timer = None
        self._finish(self._container.state.exit_code)
        return True

    def _dismiss(self, supervisor: Any) -> None:
        self._loop.unwatch(supervisor.fileno())
        supervisor.close()
        self._supervisors.remove(supervisor)

    def _stop_with_host(self) -> None:
        spec = self._container.spec
        self.stop(signal.Signals[spec.stop_signal], spec.stop_timeout_seconds)

    # From fork to "started".

    def _start(self, stage: Departed) -> None:
        """Send the plan to the process that waits for it, and listen to what it says."""
        self._restart_timer = None
        self._failure = None
        spec = self._container.spec
        self._streams = ContainerStreams(
            self._loop,
            terminal=spec.terminal,
            open_stdin=spec.open_stdin,
            on_output=self._output,
            on_input_room=self._clients.resume_input,
        )
        self._stage, self._channel = stage
        self._stage_pidfd = os.pidfd_open(stage.pid)
        self._loop.watch(self._stage_pidfd, READABLE, self._stage_ended)
        _join_cgroups(self._equipment.plan["cgroups"], stage.pid)
        with suppress(BrokenPipeError):  # it has said why it cannot, or will be found ended
            messages.send_plan(stage.channel, self._equipment.plan, tuple(self._streams.child_descriptors))
        self._streams.close_child_side()
        self._loop.watch(stage.channel.fileno(), READABLE, self._heard_from_inside)

    def _heard_from_inside(self, _events: int) -> None:
        assert self._channel is not None
        message = messages.receive(self._channel)
        if message is None:
            self._channel_closed()
            return
        kind, value, descriptors = message
        match kind:
            case "init":
                self._adopt_init(value)
            case "network":
                self._serve_network(descriptors[:value], descriptors[value:])
            case "ownership":
                self.serve_ownership(descriptors[0])
            case "terminal":
                assert self._streams is not None
                self._streams.use_terminal(descriptors[0])
            case "started":
                self._forget_channel()  # from here on the command runs: nothing from inside is believed any more
                self._is_started()
            case "failed":
                self._failure = (value[0], value[1])
            case _:  # "starting": without init, the closing channel tells
                return

    def _adopt_init(self, pid: int) -> None:
        """Become the parent of process 1: the stage, its parent so far, has ended or is about to."""
        assert self._channel is not None
        os.waitpid(self._stage, 0)
        self._stage = 0
        self._pid = pid
        self._pidfd = os.pidfd_open(pid)
        self._loop.watch(self._pidfd, READABLE, self._init_ended)
        identity = identify(pid)
        state = self._container.state._replace(
            pid=pid, start_ticks=identity.start_ticks, boot_id=identity.boot_id, monitor_pid=os.getpid()
        )
        self._container = self._container._replace(state=state)
        self._tell_init("go")

    def _tell_init(self, word: str) -> None:
        assert self._channel is not None
        try:
            messages.send(self._channel, word)
        except BrokenPipeError:
            return  # it has ended already, which its pidfd tells

    def _stage_ended(self, _events: int) -> None:
        """The stage is gone; when it was killed before it could name init, whatever it left ends here."""
        if self._stage_pidfd >= 0:
            self._loop.unwatch(self._stage_pidfd)
            os.close(self._stage_pidfd)
            self._stage_pidfd = -1
        if not self._stage:
            return
        while self._channel is not None and self._stage and self._has_news():
            self._heard_from_inside(READABLE)
        if self._stage:
            for child in list_children(os.getpid()):
                os.kill(child, signal.SIGKILL)

    def _has_news(self) -> bool:
        assert self._channel is not None
        return bool(select.select([self._channel.fileno()], [], [], 0)[0])

    def _serve_network(self, tcp: list[int], dns: list[int]) -> None:
        # Only containers with a network of their own need the relay.
        from labbox.engine.embedded.dns import Resolvers  # noqa: PLC0415
        from labbox.engine.embedded.network import RelaySockets  # noqa: PLC0415
        from labbox.engine.embedded.relay_outbound import OutboundRelay  # noqa: PLC0415

        spec = self._container.spec
        self._relay = OutboundRelay(
            self._loop,
            RelaySockets(tcp=tuple(tcp), dns=tuple(dns)),
            resolvers=Resolvers(spec.dns),
            reach_host=any(entry.endswith(":host-gateway") for entry in spec.extra_hosts),
        )

    def _forget_channel(self) -> None:
        assert self._channel is not None
        self._loop.unwatch(self._channel.fileno())
        self._channel.close()
        self._channel = None

    def _channel_closed(self) -> None:
        self._forget_channel()
        if self._stage:
            os.waitpid(self._stage, 0)
            self._stage = 0
            self._failure = self._failure or (125, "the container's first process ended before it began")
            self._ended(self._failure[0])
        elif not self._container.spec.init and self._failure is None:
            self._is_started()

    def _is_started(self) -> None:
        self._serve_ports()
        publisher = self._equipment.publisher
        state = self._container.state._replace(
            status="running",
            started_at=now_text(),
            error="",
            exit_code=0,
            oom_killed=False,
            ports=publisher.ports if publisher else (),
        )
        self._container = records.write_state(self._container, state)
        self._started_at = monotonic()
        self._clients.broadcast(frames.pack(frames.STARTED))

    def _serve_ports(self) -> None:
        """Start the process that passes connections on; one that dies is started again."""
        publisher = self._equipment.publisher
        if publisher is None or self._pid == 0:
            return
        publisher.serve(self._pid, joins_user_namespace=self._equipment.identity.mode != "root")
        self._ports_pidfd = os.pidfd_open(publisher.relay_pid)
        self._loop.watch(self._ports_pidfd, READABLE, self._ports_ended)

    def _ports_ended(self, _events: int) -> None:
        self._pause_ports()
        self._loop.call_later(_SECONDS_BEFORE_PORTS_AGAIN, self._serve_ports)

    def _pause_ports(self) -> None:
        if self._equipment.publisher is None or self._ports_pidfd < 0:
            return
        self._loop.unwatch(self._ports_pidfd)
        os.close(self._ports_pidfd)
        self._ports_pidfd = -1
        self._equipment.publisher.pause()

    def _output(self, stream: int, data: bytes) -> bool:
        self._log.write(stream, data)
        return self._clients.send_output(stream, data)

    # From the end of process 1 to the end record.

    def _init_ended(self, _events: int) -> None:
        """Process 1 is gone, and with it every process of the container."""
        self._loop.unwatch(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        while self._channel is not None:
            self._heard_from_inside(READABLE)
        assert self._streams is not None
        self._streams.drain()
        self._ended(self._failure[0] if self._failure else exit_code_of(status))

    def _ended(self, exit_code: int) -> None:
        if self._kill_timer is not None:
            self._kill_timer.cancel()
            self._kill_timer = None
        for part in (self._relay, self._streams):
            if part is not None:
                part.close()
        self._relay = self._streams = None
        for supervisor in list(self._supervisors):
            self._dismiss(supervisor)
        self._pause_ports()
        if self._failure is None and self._should_restart(exit_code):
            self._restart_later(exit_code)
        else:
            self._finish(exit_code)

    def _should_restart(self, exit_code: int) -> bool:
        policy = self._container.spec.restart
        if self._ended_by_user or policy.name == "no":
            return False
        if policy.name == "on-failure":
            too_often = policy.maximum and self._container.state.restart_count >= policy.maximum
            return exit_code != 0 and not too_often
        return True

    def _restart_later(self, exit_code: int) -> None:
        """Wait before the next start, twice as long every time unless the last run lasted."""
        if monotonic() - self._started_at > _LASTING_RUN_SECONDS:
            self._delay_seconds = _FIRST_DELAY_SECONDS
        count = self._container.state.restart_count + 1
        state = self._end_state("restarting", exit_code)._replace(restart_count=count)
        self._container = records.write_state(self._container, state)
        self._restart_timer = self._loop.call_later(
            self._delay_seconds, lambda: self._start(start_stage(self._equipment.identity))
        )
        self._delay_seconds = min(2 * self._delay_seconds, _LONGEST_DELAY_SECONDS)

    def _end_state(self, status: Any, exit_code: int) -> Any:
        limits = self._equipment.limits
        return self._container.state._replace(
            status=status,
            pid=0,
            exit_code=exit_code,
            error=self._failure[1] if self._failure else "",
            finished_at=now_text(),
            oom_killed=limits is not None and limits.was_out_of_memory(),
            stopped_by_user=self._ended_by_user,
        )

    def _finish(self, exit_code: int) -> None:
        """Write the end, tell everyone, put everything away."""
        self._log.close()
        # A container that never started stays `created`, as docker leaves it.
        status = "exited" if self._container.state.started_at else "created"
        state = self._end_state(status, exit_code)._replace(monitor_pid=0, ports=())
        equipment = self._equipment
        for part in (equipment.publisher, equipment.limits):
            if part is not None:
                part.close()
        trash = None
        if self._container.spec.auto_remove:
            trash = removal.hide_container(self._container, equipment.containers_dir)
        else:
            self._container = records.write_state(self._container, state)
        if self._failure:
            message = frames.pack_document(frames.FAILED, {"code": exit_code, "message": self._failure[1]})
        else:
            message = frames.pack_document(frames.EXITED, {"code": exit_code})
        self._clients.broadcast(message)
        self._clients.finish(self._loop.stop)
        if trash is not None:
            removal.delete_hidden(trash, equipment.identity)
            removal.remove_volumes(self._container, equipment.volumes_dir, equipment.identity)
        os.close(equipment.lock)  # all is put away; a client that reads slowly holds up nobody but itself


def _join_cgroups(paths: list[str], pid: int) -> None:
    """Put the stage, and with it all that will come of it, under the container's limits."""
    for path in paths:
        with open(path, "w", encoding="ascii") as file:
            file.write(str(pid))
