"""A registry in memory that can be told to fail: wrong statuses, cut connections, lies, tokens that run out."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"

Act = Callable[["Handler"], None]


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]


class Fault:
    """What happens instead, the first `times` times that a request fits."""

    def __init__(self, method: str, part: str, act: Act, times: int = 1) -> None:
        self.method, self.part, self.act, self.times = method, part, act, times

    def fits(self, method: str, path: str) -> bool:
        return self.times > 0 and method == self.method and self.part in path


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Clients hang up here on purpose."""


class FakeRegistry:
    """Content, faults, and a record of every request; a context manager."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.password = ""  # set: user "alice" must show it
        self.token_server: FakeRegistry | None = None  # set: it gives tokens for this registry
        self.identity_token = ""
        self.granted: list[dict[str, list[str]]] = []
        self.valid_tokens: set[str] = set()
        self.expires_in = 300
        self.documents: dict[str, Any] = {}
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.registry = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def put_blob(self, data: bytes) -> str:
        self.blobs[digest_of(data)] = data
        return digest_of(data)

    def put_manifest(self, name: str, reference: str, document: Any, media_type: str = MANIFEST) -> str:
        data = json.dumps(document).encode()
        for key in (reference, digest_of(data)):
            self.manifests[name, key] = (media_type, data)
        return digest_of(data)

    def count(self, method: str, part: str) -> int:
        return sum(request.method == method and part in request.path for request in self.requests)

    def seen(self, method: str, part: str) -> list[Request]:
        return [request for request in self.requests if request.method == method and part in request.path]


def answer_with(status: int, body: bytes = b"", **headers: str) -> Act:
    """Answer with a status; `Retry_After="1"` spells a header."""
    return lambda handler: handler.reply(status, body, {key.replace("_", "-"): value for key, value in headers.items()})


def error_body(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def cut_after(count: int) -> Act:
    """Serve the blob, and hang up after so many bytes of it."""

    def act(handler: "Handler") -> None:
        data, start = handler.wanted_blob()
        handler.start(
            206 if start else 200, {"Content-Length": str(len(data) - start), **handler.range_header(data, start)}
        )
        handler.wfile.write(data[start : start + count])
        handler.wfile.flush()
        handler.close_connection = True
        handler.connection.shutdown(2)

    return act


def hang_up_while_receiving(count: int) -> Act:
    """Keep so many bytes of an upload's body, then hang up."""

    def act(handler: "Handler") -> None:
        handler.registry.uploads[handler.upload_id()] += handler.rfile.read(count)
        handler.close_connection = True
        handler.connection.shutdown(2)

    return act


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def registry(self) -> FakeRegistry:
        registry: FakeRegistry = self.server.registry  # type: ignore[attr-defined]
        return registry

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve("GET")

    def do_HEAD(self) -> None:
        self._serve("HEAD")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PATCH(self) -> None:
        self._serve("PATCH")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def do_DELETE(self) -> None:
        self.reply(204)

    # What faults use.

    def reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        left = int(self.headers.get("Content-Length") or 0)
        if left and not getattr(self, "body_read", False):
            self.close_connection = True  # the body was not read
        self.start(status, {"Content-Length": str(len(body)), **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(body)

    def start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def wanted_blob(self) -> tuple[bytes, int]:
        data = self.registry.blobs[self.path.rpartition("/")[2]]
        match = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        return data, int(match[1]) if match else 0

    def range_header(self, data: bytes, start: int) -> dict[str, str]:
        return {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}

    def upload_id(self) -> str:
        return urlsplit(self.path).path.rpartition("/")[2]

    # The protocol.

    def _serve(self, method: str) -> None:
        self.body_read = False
        registry = self.registry
        registry.requests.append(Request(method, self.path, dict(self.headers)))
        fault = next((fault for fault in registry.faults if fault.fits(method, self.path)), None)
        if fault is not None:
            fault.times -= 1
            fault.act(self)
        elif self.path.startswith("/token"):
            self._give_token(method)
        elif self._is_let_in():
            self._route(method)

    def _is_let_in(self) -> bool:
        registry = self.registry
        given = self.headers.get("Authorization", "")
        if registry.token_server is not None:
            if given.removeprefix("Bearer ") in registry.valid_tokens:
                return True
            name = self.path.split("/v2/")[-1].split("/blobs")[0].split("/manifests")[0]
            scope = f"repository:{name}:pull" if name else ""
            realm = f"http://{registry.token_server.host}/token"
            self.reply(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="fake",scope="{scope}"'})
            return False
        if registry.password and given != "Basic " + base64.b64encode(f"alice:{registry.password}".encode()).decode():
            self.reply(
                401, error_body("UNAUTHORIZED", "authentication required"), {"WWW-Authenticate": 'Basic realm="x"'}
            )
            return False
        return True

    def _give_token(self, method: str) -> None:
        text = self._body().decode() if method == "POST" else urlsplit(self.path).query
        query, registry = parse_qs(text), self.registry
        if registry.password:
            wanted = "Basic " + base64.b64encode(f"alice:{registry.password}".encode()).decode()
            is_known = registry.identity_token and query.get("refresh_token") == [registry.identity_token]
            if self.headers.get("Authorization") != wanted and not is_known:
                self.reply(401)
                return
        registry.granted.append(query)
        token = f"token-{len(registry.granted)}"
        registry.valid_tokens.add(token)
        self._document({"token": token, "expires_in": registry.expires_in})

    def _document(self, document: Any, **headers: str) -> None:
        self.reply(200, json.dumps(document).encode(), {"Content-Type": "application/json", **headers})

    def _body(self) -> bytes:
        self.body_read = True
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _route(self, method: str) -> None:
        path = urlsplit(self.path).path
        if self.path in self.registry.documents or path in self.registry.documents:
            self._document(self.registry.documents.get(self.path, self.registry.documents.get(path)))
        elif path == "/v2/":
            self._document({})
        elif "/blobs/uploads/" in path:
            self._serve_upload(method, path)
        elif "/blobs/" in path:
            self._serve_blob()
        elif "/manifests/" in path:
            self._serve_manifest(method, path)
        else:
            self.reply(404, b"page not found")

    def _serve_blob(self) -> None:
        if self.path.rpartition("/")[2] not in self.registry.blobs:
            self.reply(404, error_body("BLOB_UNKNOWN", "blob unknown to registry"))
            return
        data, start = self.wanted_blob()
        self.start(206 if start else 200, {"Content-Length": str(len(data) - start), **self.range_header(data, start)})
        if self.command != "HEAD":
            self.wfile.write(data[start:])

    def _serve_manifest(self, method: str, path: str) -> None:
        name, _, reference = path.removeprefix("/v2/").rpartition("/manifests/")
        if method == "PUT":
            data = self._body()
            for key in (reference, digest_of(data)):
                self.registry.manifests[name, key] = (self.headers["Content-Type"], data)
            self.reply(201, headers={"Docker-Content-Digest": digest_of(data), "Location": path})
            return
        found = self.registry.manifests.get((name, reference))
        if found is None:
            self.reply(404, error_body("MANIFEST_UNKNOWN", "manifest unknown"))
            return
        self.reply(200, found[1], {"Content-Type": found[0], "Docker-Content-Digest": digest_of(found[1])})

    def _serve_upload(self, method: str, path: str) -> None:
        registry = self.registry
        if method == "POST":
            identity = str(len(registry.uploads) + 1)
            registry.uploads[identity] = bytearray()
            self._body()
            self.reply(202, headers={"Location": f"{path}{identity}?_state=0"})
            return
        content = registry.uploads.get(self.upload_id())
        if content is None:
            self.reply(404, error_body("BLOB_UPLOAD_UNKNOWN", "upload unknown"))
            return
        if method != "GET":
            content += self._body()
        headers = {"Location": f"{path}?_state={len(content)}", "Range": f"0-{max(0, len(content) - 1)}"}
        if method != "PUT":
            self.reply(204 if method == "GET" else 202, headers=headers)
            return
        digest = parse_qs(urlsplit(self.path).query)["digest"][0]
        if digest_of(bytes(content)) != digest:
            self.reply(400, error_body("DIGEST_INVALID", "provided digest did not match uploaded content"))
            return
        registry.blobs[digest] = bytes(content)
        self.reply(201, headers=headers)
