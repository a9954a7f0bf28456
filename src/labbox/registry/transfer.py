"""Several transfers at once, that end together: the first failure (or ctrl-c) stops the others."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from labbox.errors import RegistryError

_AT_ONCE = 3  # docker's number (max-concurrent-downloads)


class Transfer:
    """Runs jobs side by side; each calls `go_on` now and then."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def go_on(self) -> None:
        """Raise RegistryError when the others have failed."""
        if self._stop.is_set():
            raise RegistryError("the transfer was stopped")

    def run(self, jobs: Sequence[Callable[[], object]], *, at_once: int = _AT_ONCE) -> None:
        """Do all the jobs; raises what the first one raises that fails."""
        pool = ThreadPoolExecutor(at_once, thread_name_prefix="transfer")
        try:
            for future in as_completed([pool.submit(job) for job in jobs]):
                future.result()
        except BaseException as error:
            self._stop.set()
            # after ctrl-c nobody waits for a server that is silent
            pool.shutdown(wait=not isinstance(error, KeyboardInterrupt), cancel_futures=True)
            raise
        pool.shutdown()
