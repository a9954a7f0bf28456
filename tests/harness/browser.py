"""A real browser without a window: Chromium, asked over its DevTools protocol."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from types import TracebackType
from typing import Any, Self

from harness.waiting import wait_until
from harness.websocket import WebSocket

_FLAGS = (
    "--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server", "--disable-background-networking",
    "--disable-component-update", "--hide-scrollbars", "--lang=en-US", "--remote-debugging-port=0",
    "--window-size=1280,800",
)  # fmt: skip
_EQUAL_PICTURES = 6
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def missing_for_browser() -> str:
    """Why no browser can be started here; empty when one can."""
    return "" if shutil.which("chromium") else "chromium is not installed (Debian package chromium)"


class Browser:
    """A running Chromium with one page; a context manager that ends it."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="lbt-browser-", dir="/tmp")
        command = [
            "setpriv",
            "--pdeathsig",
            "TERM",
            "chromium",
            *_FLAGS,
            f"--user-data-dir={self._folder}",
            "about:blank",
        ]
        environment = {**os.environ, "HOME": self._folder}
        with open(f"{self._folder}/log", "wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        self._count = 0

    def __enter__(self) -> Self:
        try:
            port = wait_until(self._port, timeout_seconds=60, what=self._read_log)
            with _DIRECT.open(f"http://127.0.0.1:{port}/json/list", timeout=20) as answer:
                page = next(entry for entry in json.load(answer) if entry["type"] == "page")
            self._channel = WebSocket(page["webSocketDebuggerUrl"])
            self._call("Emulation.setDeviceMetricsOverride", width=1280, height=800, deviceScaleFactor=1, mobile=False)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._channel.__exit__(kind, error, None)
        self._end()

    def open(self, url: str) -> None:
        """Go to an address."""
        answer = self._call("Page.navigate", url=url)
        assert "errorText" not in answer, answer

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self) -> str:
        """What the page shows as text, in shadow trees too."""
        return str(self.evaluate(_TEXT))

    def wait_for(self, condition: str, *, timeout_seconds: float = 60) -> Any:
        """Wait until a JavaScript expression is true; its value."""
        return wait_until(
            lambda: self.evaluate(condition),
            timeout_seconds=timeout_seconds,
            what=lambda: f"{condition}; the page shows: {self.text()[:2000]}",
        )

    def wait_for_text(self, text: str, *, timeout_seconds: float = 60) -> None:
        """Wait until the page shows a text."""
        wait_until(
            lambda: text in self.text(),
            timeout_seconds=timeout_seconds,
            what=lambda: f"{text!r} is shown: {self.text()[:2000]}",
        )

    def take_picture(self, path: str) -> None:
        """Write the page as it is seen to a PNG file, once it does not change any more."""
        seen: list[str] = []

        def is_still() -> bool:
            seen.append(self._call("Page.captureScreenshot", format="png")["data"])
            return len(seen) > _EQUAL_PICTURES and len(set(seen[-_EQUAL_PICTURES:])) == 1

        wait_until(is_still, what="the page does not change")
        with open(path, "wb") as file:
            file.write(base64.b64decode(seen[-1]))

    def _call(self, method: str, **parameters: Any) -> Any:
        self._count += 1
        self._channel.send({"id": self._count, "method": method, "params": parameters})
        while True:
            message = self._channel.receive()
            if message.get("id") == self._count:
                assert "error" not in message, message
                return message["result"]

    def _port(self) -> str:
        assert self._process.poll() is None, self._read_log()
        try:
            with open(f"{self._folder}/DevToolsActivePort", encoding="ascii") as file:
                return file.readline().strip()
        except FileNotFoundError:
            return ""

    def _read_log(self) -> str:
        with open(f"{self._folder}/log", encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


_TEXT = """(() => {
  const collect = (node) => {
    let text = node.innerText || "";
    const walk = (root) => root.querySelectorAll("*").forEach((element) => {
      if (element.shadowRoot) {
        for (const child of element.shadowRoot.children) text += "\\n" + (child.innerText || "");
        walk(element.shadowRoot);
      }
    });
    walk(node);
    return text;
  };
  return document.body ? collect(document.body) : "";
})()"""
