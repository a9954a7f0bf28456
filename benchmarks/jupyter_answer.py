"""When a JupyterLab answers that was not there before: by the time of its start, which it tells who has its token."""

import http.client
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

_LIMIT_SECONDS = 300
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a JupyterLab is published on this host, and its token."""

    port: int
    token: str

    def started(self) -> str:
        """When the JupyterLab that answers there was started; empty when none answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", f"/api/status?token={self.token}")
            answer = connection.getresponse()
            text = answer.read()
            return str(json.loads(text)["started"]) if answer.status == http.HTTPStatus.OK else ""
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()


def read_address(link: str) -> Address:
    """The address in the link that `up` prints."""
    parts = urlsplit(link)
    return Address(port=int(parts.netloc.rpartition(":")[2]), token=parse_qs(parts.query)["token"][0])


def seconds_until_new(address: Address, command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Run a command that starts a JupyterLab: seconds until that one answers, and until the command has ended.

    RuntimeError when the command fails or JupyterLab does not answer.
    """
    before = address.started()
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, text=True
    ) as process:
        answered = ended = 0.0
        while not (answered and ended):
            now = time.perf_counter() - start
            if not answered and address.started() not in ("", before):
                answered = time.perf_counter() - start
            if not ended and process.poll() is not None:
                ended = time.perf_counter() - start
            if now > _LIMIT_SECONDS or process.returncode:
                process.kill()
                complaint = process.stderr.read()[-500:] if process.stderr else ""
                raise RuntimeError(f"`{' '.join(command)}` has brought no JupyterLab: {complaint}")
            time.sleep(_PAUSE_SECONDS)
    return answered, ended
