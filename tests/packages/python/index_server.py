"""A Python package index on the loopback device, which can be slow of mind, forgetful, or lie."""

import base64
import html
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from packages.python.wheels import MadeFile

_HTML = "text/html"
_JSON = "application/vnd.pypi.simple.v1+json"


class IndexServer:
    """Serves `/simple/<project>/` and the files themselves; every fault it can have is an attribute."""

    def __init__(self) -> None:
        self.projects: dict[str, dict[str, MadeFile]] = {}
        self.yanked: dict[str, str] = {}
        self.stated_hashes: dict[str, str] = {}
        self.moved: dict[str, str] = {}
        self.gone: set[str] = set()
        self.stalled: set[str] = set()
        self.cuts: dict[str, list[int]] = {}
        self.speaks_json = True
        self.states_hashes = True
        self.refuses_head = False
        self.login = ""
        self.hits: list[str] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def simple(self) -> str:
        """The address for UV_DEFAULT_INDEX."""
        return f"{self.url}/simple"

    def add(self, *files: MadeFile) -> None:
        """Offer files; the project is in their names."""
        for file in files:
            project = re.split(r"-\d", file.name)[0].lower().replace("_", "-")
            self.projects.setdefault(project, {})[file.name] = file

    def address(self, file: MadeFile) -> str:
        """Where a file is."""
        return f"{self.url}{self._path(file.name)}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _path(self, name: str) -> str:
        return f"/{self.moved.get(name, 'files')}/{name}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                index._answer(self)

            def do_HEAD(self) -> None:
                if index.refuses_head:
                    index._send(self, 405, b"")
                else:
                    index._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path
        with self._lock:
            self.hits.append(f"{request.command} {path}")
        given = base64.b64decode(request.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if self.login and given != self.login:
            self._send(request, 401, b"who are you?")
            return
        page = re.fullmatch(r"/simple/([^/]+)/", path)
        if page is not None:
            while page[1] in self.stalled:
                time.sleep(0.01)
            files = self.projects.get(page[1])
            if files is None:
                self._send(request, 404, b"no such project")
            else:
                self._send_page(request, page[1], files)
            return
        name = path.rpartition("/")[2]
        found = next((files[name] for files in self.projects.values() if name in files), None)
        if found is None or name in self.gone or path != self._path(name):
            self._send(request, 404, b"no such file")
        else:
            self._send_file(request, found)

    def _send_page(self, request: BaseHTTPRequestHandler, project: str, files: dict[str, MadeFile]) -> None:
        offered = [file for file in files.values() if file.name not in self.gone]
        if self.speaks_json:
            rows = [
                {
                    "filename": file.name,
                    "url": self._path(file.name),
                    "hashes": {"sha256": self._hash(file)} if self.states_hashes else {},
                    "upload-time": "2026-05-01T08:00:00Z",
                    "yanked": self.yanked.get(file.name, False),
                }
                for file in offered
            ]
            document = {"meta": {"api-version": "1.1"}, "name": project, "files": rows}
            self._send(request, 200, json.dumps(document).encode(), _JSON)
            return
        anchors = [
            f'<a href="{self._path(file.name)}{f"#sha256={self._hash(file)}" if self.states_hashes else ""}"'
            + (f' data-yanked="{html.escape(self.yanked[file.name])}"' if file.name in self.yanked else "")
            + f">{file.name}</a><br>"
            for file in offered
        ]
        self._send(
            request, 200, ("<!DOCTYPE html><html><body>" + "\n".join(anchors) + "</body></html>").encode(), _HTML
        )

    def _hash(self, file: MadeFile) -> str:
        return self.stated_hashes.get(file.name, file.sha256)

    def _send_file(self, request: BaseHTTPRequestHandler, file: MadeFile) -> None:
        wanted = request.headers.get("Range", "")
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
        start = int(match[1]) if match else 0
        end = int(match[2]) + 1 if match and match[2] else len(file.content)
        body = file.content[start:end]
        request.send_response(206 if match else 200)
        if match:
            request.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{len(file.content)}")
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Accept-Ranges", "bytes")
        request.end_headers()
        if request.command == "HEAD":
            return
        if self.cuts.get(file.name):
            body = body[: self.cuts[file.name].pop(0)]
            request.close_connection = True
        request.wfile.write(body)

    def _send(self, request: BaseHTTPRequestHandler, status: int, body: bytes, kind: str = "text/plain") -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
