"""A lock as pylock.toml (PEP 751), which pip, uv and others install from."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from labbox.lock.lab import LabLock, LockedWheel


def format_pylock(lock: LabLock) -> str:
    """The lab's packages; what services need is labbox's own affair."""
    language = lock.interpreter.language
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(lock.platform.partition("/")[2], "")
    marker = "sys_platform == 'linux'" + (f" and platform_machine == '{machine}'" if machine else "")
    head = [
        'lock-version = "1.0"',
        f"environments = [{_text(marker)}]",
        f'requires-python = "=={language}.*"',
        'created-by = "labbox"',
    ]
    return "\n".join([*head, *(line for wheel in lock.packages for line in _package(wheel))]) + "\n"


def _package(wheel: LockedWheel) -> Iterator[str]:
    yield ""
    yield "[[packages]]"
    yield f"name = {_text(wheel.name)}"
    yield f"version = {_text(wheel.version)}"
    if wheel.source is not None and not wheel.url:
        yield f"sdist = {{ url = {_text(wheel.source.url)}, hashes = {{ sha256 = {_text(wheel.source.sha256)} }} }}"
        return
    upload = ""
    if wheel.uploaded:
        upload = f"upload-time = {datetime.fromtimestamp(wheel.uploaded, UTC):%Y-%m-%dT%H:%M:%SZ}, "
    yield (
        f"wheels = [{{ name = {_text(wheel.file_name)}, url = {_text(wheel.url)}, {upload}size = {wheel.size}, "
        f"hashes = {{ sha256 = {_text(wheel.sha256)} }} }}]"
    )


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
