"""A wheel installed as a build does it, without a store."""

import os
from pathlib import Path
from typing import Any

from build.python.wheels import NAME, open_bytes
from labbox.build.python.layer_content import lay_out
from labbox.build.python.layer_tree import make_folders, write_files
from labbox.build.python.target import environment_target
from labbox.build.python.wheel_file import read_wheel


def install(folder: Any, data: bytes, file_name: str = NAME) -> str:
    """Read, lay out and write a wheel as a build does; the folder of its files."""
    descriptor = open_bytes(folder, data)
    try:
        content = lay_out([read_wheel(descriptor, file_name)], environment_target("3.13"))
        root = os.path.join(folder, f"root-{os.urandom(4).hex()}")
        os.mkdir(root)
        make_folders(root, content)
        write_files(root, content.entries, content.file_names, [descriptor], "recorded" if os.geteuid() else "kept")
    finally:
        os.close(descriptor)
    return root


def describe(root: str) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {
        os.path.relpath(os.path.join(parent, name), root): Path(parent, name).read_bytes()
        for parent, _, names in os.walk(root)
        for name in names
    }
