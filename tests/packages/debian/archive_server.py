"""A Debian archive on the loopback device, with a snapshot service beside it, and the ways in which real ones fail."""

import hashlib
import json
import lzma
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from labbox.packages.debian.mirrors import DEBIAN, SECURITY, Mirrors
from packages.debian.signing import sign_cleartext


class ArchiveServer:
    """Files by path. `hits` counts requests; `statuses` and `cuts` make a path fail its first few times."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.statuses: dict[str, list[tuple[int, str]]] = {}  # (status, Retry-After)
        self.cuts: dict[str, list[int]] = {}
        self.ignores_ranges = False
        self.hits: list[str] = []
        self.ranges: list[str] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def mirrors(self, *more: str) -> Mirrors:
        """Mirrors of which the first is this server's `/debian`."""
        return Mirrors(
            bases={
                DEBIAN: (f"{self.url}/debian", *(f"{base}/debian" for base in more)),
                SECURITY: (f"{self.url}/debian-security", *(f"{base}/debian-security" for base in more)),
            },
            snapshot=f"{self.url}/snapshot",
        )

    def add_suite(
        self,
        suite: str,
        paragraphs: list[str],
        *,
        date: datetime,
        archive: str = DEBIAN,
        valid_until: datetime | None = None,
        signed_at: datetime | None = None,
        keeps_plain_name: bool = True,
    ) -> str:
        """Publish a signed suite of these package paragraphs; the sha256 of its package index."""
        index = lzma.compress("\n".join(f"{text.rstrip()}\n" for text in paragraphs).encode())
        sha256 = hashlib.sha256(index).hexdigest()
        until = f"Valid-Until: {format_datetime(valid_until)}\n" if valid_until else ""
        release = (
            f"Origin: Test\nSuite: stable\nCodename: {suite}\nDate: {format_datetime(date)}\n{until}"
            f"Acquire-By-Hash: yes\nArchitectures: all amd64\nComponents: main\nSHA256:\n"
            f" {sha256} {len(index)} main/binary-amd64/Packages.xz\n"
        )
        base = f"/{archive}/dists/{suite}"
        self.files[f"{base}/InRelease"] = sign_cleartext(release, signed_at=signed_at or date)
        self.files[f"{base}/main/binary-amd64/by-hash/SHA256/{sha256}"] = index
        if keeps_plain_name:
            self.files[f"{base}/main/binary-amd64/Packages.xz"] = index
        return sha256

    def add_snapshot_file(self, package: str, version: str, name: str, content: bytes) -> str:
        """Keep a file in the snapshot service's `/file/`, and its answer about a binary package; the SHA-1."""
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self.files[f"/snapshot/file/{sha1}"] = content
        answer = {"result": [{"architecture": "amd64", "hash": sha1}], "fileinfo": {sha1: [{"name": name}]}}
        self.files[f"/snapshot/mr/binary/{package}/{version}/binfiles?fileinfo=1"] = json.dumps(answer).encode()
        return sha1

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextmanager
    def _counted(self, path: str) -> Iterator[None]:
        with self._lock:
            self.hits.append(path)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        archive = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.removeprefix(archive.url)  # as a proxy, the whole address is asked for
                with archive._counted(path):
                    archive._answer(self, path)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler, path: str) -> None:
        if self.statuses.get(path):
            status, retry_after = self.statuses[path].pop(0)
            self._send(request, status, b"", {"Retry-After": retry_after} if retry_after else {})
        elif path in self.redirects:
            self._send(request, 302, b"", {"Location": self.redirects[path]})
        elif path not in self.files:
            self._send(request, 404, b"not here", {})
        else:
            self._send_file(request, path)

    def _send_file(self, request: BaseHTTPRequestHandler, path: str) -> None:
        content = self.files[path]
        start = 0
        wanted = request.headers.get("Range", "")
        if wanted and not self.ignores_ranges:
            self.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        if self.cuts.get(path):
            body = content[start : start + self.cuts[path].pop(0)]
            request.send_response(206 if start else 200)
            for name, value in {**headers, "Content-Length": str(len(content) - start)}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(body)
            request.close_connection = True
            return
        self._send(request, 206 if start else 200, content[start:], headers)

    def _send(self, request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)
