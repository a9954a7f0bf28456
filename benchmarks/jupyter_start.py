"""How long JupyterLab itself takes: `jupyter_start.py service|plain PORT`, run inside a lab by the services' Python.

`service` is the lab's own command with its settings, only on another port; `plain` is `jupyter-lab` as anybody starts
it. Prints the seconds from the start of the process until its first answer.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

_SERVICES = "/opt/labbox/etc/services.json"
_LIMIT_SECONDS = 120


def main(kind: str, port: str) -> float:
    with open(_SERVICES, encoding="utf-8") as file:
        service = next(each for each in json.load(file)["services"] if each["name"] == "jupyter")
    command = service["argv"] if kind == "service" else ["/opt/labbox/bin/jupyter-lab", "--no-browser"]
    environment = {**os.environ, **service["environment"], service["token_variable"]: "benchmark"}
    start = time.perf_counter()
    jupyter = subprocess.Popen(
        [*command, f"--ServerApp.port={port}"], env=environment, cwd=service["folder"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not _answers(port):
            if jupyter.poll() is not None or time.perf_counter() - start > _LIMIT_SECONDS:
                sys.exit(f"`{' '.join(command)}` does not answer at port {port}")
            time.sleep(0.02)
        return time.perf_counter() - start
    finally:
        jupyter.send_signal(signal.SIGKILL)
        jupyter.wait()


def _answers(port: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2]))
