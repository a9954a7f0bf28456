"""Jupyter as its own pages use it: the REST interface and the WebSocket of a kernel."""

import json
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from harness.websocket import WebSocket

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Answer(NamedTuple):
    """What running some code gave: text on the streams, and the data of displays and results by their types."""

    text: str
    data: tuple[dict[str, Any], ...]

    def of_type(self, kind: str) -> list[str]:
        """Everything shown in one type, for example `image/png`."""
        return [str(shown[kind]) for shown in self.data if kind in shown]


class Jupyter:
    """A Jupyter server, known by the link that `labbox up` prints."""

    def __init__(self, link: str) -> None:
        parts = urlsplit(link)
        self.address = parts.netloc
        self.token = parse_qs(parts.query)["token"][0]

    def ask(self, path: str, method: str = "GET", document: Any = None) -> Any:
        """What the server answers at `/api/PATH`."""
        body = None if document is None else json.dumps(document).encode()
        text = self.fetch(f"/api/{path}", method, body)
        return json.loads(text) if text else None

    def fetch(self, path: str, method: str = "GET", body: bytes | None = None) -> str:
        """The text at a path of the server."""
        request = urllib.request.Request(
            f"http://{self.address}{path}", body, {"Authorization": f"token {self.token}"}, method=method
        )
        with _DIRECT.open(request, timeout=60) as answer:
            return str(answer.read().decode("utf-8", "replace"))

    @contextmanager
    def kernel(self) -> Iterator["Kernel"]:
        """A new kernel, which is ended afterwards."""
        started = self.ask("kernels", "POST", {"name": self.ask("kernelspecs")["default"]})
        try:
            url = f"ws://{self.address}/api/kernels/{started['id']}/channels?token={self.token}"
            with WebSocket(url, timeout_seconds=120) as channel:
                yield Kernel(channel)
        finally:
            self.ask(f"kernels/{started['id']}", "DELETE")


class Kernel:
    """A kernel that runs code."""

    def __init__(self, channel: WebSocket) -> None:
        self._channel = channel
        self._session = uuid.uuid4().hex

    def run(self, code: str) -> Answer:
        """Run a cell to its end; AssertionError with the kernel's own words when it raises."""
        number = uuid.uuid4().hex
        header = {"msg_id": number, "session": self._session, "username": "", "version": "5.3"}
        header["msg_type"] = "execute_request"
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        self._channel.send(
            {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}
        )
        text, data = "", []
        while True:
            message = self._channel.receive()
            if message["parent_header"].get("msg_id") != number:
                continue
            kind, content = message["header"]["msg_type"], message["content"]
            assert kind != "error", "\n".join(content["traceback"])
            if kind == "stream":
                text += content["text"]
            elif kind in ("display_data", "update_display_data", "execute_result"):
                data.append(content["data"])
            elif kind == "status" and content["execution_state"] == "idle":
                return Answer(text, tuple(data))


def with_answers(notebook: Any, answers: list[Answer]) -> Any:
    """A notebook's document with what its code cells gave, as the pages of Jupyter save it."""
    left = list(answers)
    cells = []
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            cells.append({**cell, "execution_count": number, "outputs": _outputs(left.pop(0))})
        else:
            cells.append(cell)
    return {**notebook, "cells": cells}


def _outputs(answer: Answer) -> list[dict[str, Any]]:
    streams = [{"output_type": "stream", "name": "stdout", "text": answer.text}] if answer.text else []
    return [*streams, *({"output_type": "display_data", "data": data, "metadata": {}} for data in answer.data)]


def code_cells(notebook: Any) -> list[str]:
    """The code of a notebook's document, cell by cell."""
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
