"""The embedded engine's verbs over containers: create, start, stop, remove and the rest; no daemon behind them."""

import os
from time import monotonic

from labbox.engine.embedded import attachment, frames, records, removal
from labbox.engine.embedded.assignment import Assignment, write_assignment
from labbox.engine.embedded.attachment import Attachment, Outcome
from labbox.engine.embedded.departure import Departed, warm_stages
from labbox.engine.embedded.host import Host
from labbox.engine.embedded.launch import Launch, begin_launch
from labbox.engine.embedded.logs import LogReader
from labbox.engine.embedded.modes import choose_identity
from labbox.engine.embedded.plan import make_plan
from labbox.engine.embedded.records import Container
from labbox.engine.specification import ContainerSpec, ExecSpec
from labbox.errors import ConflictError, EngineError, NotFoundError
from labbox.files import take_lock
from labbox.lightweight_modules import signal, socket
from labbox.lightweight_typing import TYPE_CHECKING, Callable, Iterator, Mapping, TypeVar
from labbox.linux.idmap import Identity
from labbox.settings import Settings

if TYPE_CHECKING:
    from labbox.engine.embedded.execution import Execution

_Result = TypeVar("_Result")
_LOOK_AGAIN_SECONDS = 0.2
_PATIENCE_SECONDS = 10.0  # a monitor tells of the end first and puts things away afterwards


class EmbeddedEngine:
    """Containers of one user on this machine."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], launch: Launch | None = None) -> None:
        self.settings = settings
        self._environment = environment
        self._identity: Identity | None = None
        self._launch = launch

    @property
    def identity(self) -> Identity:
        """The identity mode in which containers run here; UnsupportedError when none works."""
        if self._identity is None:
            self._identity = choose_identity(
                self.settings.runtime_dir, wanted=self._environment.get("LABBOX_MODE") or None
            )
        return self._identity

    # Finding.

    def find(self, name_or_id: str) -> Container:
        """The container of a name, id or start of an id; NotFoundError."""
        container = records.find_record(self.settings.containers_dir, name_or_id)
        if self._is_left_over(container):
            self.remove(container, volumes=True)
            raise NotFoundError(f"No such container: {name_or_id}")
        return container

    def list(self) -> Iterator[Container]:
        """Every container, newest first."""
        for container in records.list_records(self.settings.containers_dir):
            if self._is_left_over(container):
                self.remove(container, volumes=True)
            else:
                yield container

    def _is_left_over(self, container: Container) -> bool:
        """A container to be removed at its end whose monitor was killed before it could do so."""
        return container.spec.auto_remove and container.state.status == "exited"

    def logs(self, container: Container) -> LogReader:
        """What it has written."""
        return LogReader(container.folder.log)

    # Making and starting.

    def create(self, spec: ContainerSpec) -> Container:
        """Write a new container that does not run yet; ConflictError when its name is taken."""
        host = Host(self.settings, self.identity)
        with host.holding_images():
            host.layer_folders(spec)
            return records.create_record(self.settings.containers_dir, spec, mode=self.identity.mode)

    def start(
        self, container: Container, *, attach: tuple[str, ...] = (), stdin: bool = False
    ) -> tuple[Attachment, Outcome | None]:
        """Start a container that does not run; returns the connection to its monitor and, if it failed, how.

        The first bytes of output and a command that ends at once are not missed by the connection.
        """
        if not container.spec.image_id:
            raise EngineError(f"container {container.spec.name} cannot start: {container.state.error}")
        lock = None if container.is_running else take_lock(container.folder.lock, patience_seconds=_PATIENCE_SECONDS)
        if lock is None:
            raise ConflictError(f"container {container.spec.name} is already running")
        try:
            connection = self._start_monitor(container, lock, attach=attach, stdin=stdin)
        finally:
            os.close(lock)
        return connection, connection.wait_started()

    def _start_monitor(self, container: Container, lock: int, *, attach: tuple[str, ...], stdin: bool) -> Attachment:
        """Gather what the monitor needs and hand it over; whatever fails before that leaves nothing behind."""
        host = Host(self.settings, self.identity)
        launch, self._launch = self._launch or self.begin_launch(), None
        with host.equipped(container) as (facts, publisher, limits):
            warm_stages()
            listener = attachment.listen(container.folder)
            ours, theirs = socket.socketpair()
            connection = Attachment(ours, container.folder)
            connection.hello(attach=attach, stdin=stdin)  # before the monitor runs: it may be faster than we are
            plan = make_plan(container.spec, container.folder, facts)
            assignment = Assignment(container, plan, self.settings, publisher, limits, lock, listener, theirs)
            launch.hand_over(*write_assignment(assignment))
            theirs.close()
            listener.close()
        return connection

    def begin_launch(self) -> Launch:
        """A monitor that waits for its container."""
        return begin_launch(self.settings.runtime_dir, self._environment.get("LABBOX_MODE") or None)

    # Running containers.

    def attach(self, container: Container) -> Attachment:
        """A connection to a running container's monitor; ConflictError when it does not run."""
        connection = attachment.connect(container.folder) if container.is_running else None
        if connection is None:
            raise ConflictError(f"container {container.spec.name} is not running")
        return connection

    def stop(self, container: Container, *, timeout_seconds: float | None = None, number: int | None = None) -> None:
        """End a container by its stop signal, by SIGKILL after the time-out (negative: never).

        One that has ended already is fine.
        """
        spec = container.spec
        request = {
            "signal": int(getattr(signal, spec.stop_signal)) if number is None else number,
            "timeout": spec.stop_timeout_seconds if timeout_seconds is None else timeout_seconds,
        }
        with self._connected(container) as connection:
            if connection is not None:
                connection.send(frames.pack_document(frames.STOP, request))
                connection.wait()

    def kill(self, container: Container, number: int) -> None:
        """Send a signal to a running container; ConflictError when it does not run."""
        with self.attach(container) as connection:
            connection.send(frames.pack_document(frames.SIGNAL, number))
            if number == signal.SIGKILL:
                connection.wait()

    def wait(self, container: Container) -> int:
        """Wait until a container has ended; its exit code."""
        with self._connected(container) as connection:
            outcome = connection.wait() if connection is not None else Outcome("lost")
        if outcome.kind != "lost":
            return outcome.code
        try:
            return self.find(container.spec.id).state.exit_code
        except NotFoundError:
            return container.state.exit_code

    def execute(self, container: Container, exec_spec: ExecSpec, early: Departed | None = None) -> "Execution":
        """Start one more command in a running container; ConflictError, or EngineError when it cannot start."""
        from labbox.engine.embedded.execution import start_execution  # noqa: PLC0415

        execution = start_execution(Host(self.settings, self.identity), self.identity, container, exec_spec, early)
        execution.wait_started()
        return execution

    def in_root(self, container: Container, function: Callable[[int], _Result]) -> _Result:
        """Call `function(root)` in a child that is the container's root user; see `access.run_in_root`."""
        from labbox.engine.embedded.access import run_in_root  # noqa: PLC0415

        return run_in_root(Host(self.settings, self.identity), self.identity, container, function)

    # Changing and removing.

    def rename(self, container: Container, new_name: str) -> Container:
        """Give a container another name; ConflictError when it is taken."""
        name = records.check_name(new_name)
        records.take_name(self.settings.containers_dir, name, container.spec.id)
        renamed = records.write_spec(container, container.spec._replace(name=name))
        records.release_name(self.settings.containers_dir, container.spec.name)
        return renamed

    def remove(self, container: Container, *, force: bool = False, volumes: bool = False) -> None:
        """Remove a container, with `force` also a running one, with `volumes` also its anonymous volumes."""
        try:
            lock = self._lock_stopped(container, force=force)
        except (FileNotFoundError, NotFoundError):
            return  # `--rm`, or another command, was faster
        try:
            trash = removal.hide_container(container, self.settings.containers_dir)
            removal.delete_hidden(trash, self.identity)
        except FileNotFoundError:
            return  # `--rm`, or another command, was faster
        finally:
            os.close(lock)
        self.sweep()
        if volumes:
            removal.remove_volumes(container, self.settings.volumes_dir, self.identity)

    def sweep(self) -> None:
        """Delete what creations and removals that were killed have left."""
        removal.sweep(self.settings.containers_dir, self.identity)

    def _lock_stopped(self, container: Container, *, force: bool) -> int:
        """The lock of a container that does not run; `force` stops it, also when somebody has only just started it."""
        deadline = monotonic() + _PATIENCE_SECONDS
        while True:
            if container.is_running:
                if not force:
                    raise ConflictError(
                        f"cannot remove container {container.spec.name}: container is running",
                        hint=f"stop it first (labbox stop {container.spec.name}), or remove it by force: labbox rm -f",
                    )
                self.stop(container, number=signal.SIGKILL, timeout_seconds=0)
            lock = take_lock(container.folder.lock, patience_seconds=_LOOK_AGAIN_SECONDS)
            if lock is not None:
                return lock
            if monotonic() > deadline:
                raise ConflictError(f"container {container.spec.name} is being changed by another command")
            container = self.find(container.spec.id)

    def _connected(self, container: Container) -> "_Connected":
        return _Connected(attachment.connect(container.folder) if container.is_running else None)


class _Connected:
    """A connection, or none, closed at the end."""

    def __init__(self, connection: Attachment | None) -> None:
        self._connection = connection

    def __enter__(self) -> Attachment | None:
        return self._connection

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.__exit__()
