"""Builds a wheel from the source archive at an address, twice. Arguments: image, address, sha256."""

import json
import os
import sys
from dataclasses import replace

from labbox.build.interpreter import probe_system
from labbox.build.python.source_wheels import SourceBuilder
from labbox.build.workshop import Workshop
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import LabboxError
from labbox.lock.lab import LockedSource
from labbox.packages.python.package_index import open_package_index
from labbox.settings import load_settings
from labbox.store.images import ImageStore


def main() -> None:
    settings = load_settings(os.environ)
    engine = EmbeddedEngine(settings, os.environ)
    image = ImageStore(settings.store_dir).find(sys.argv[1])
    assert image is not None
    workshop = Workshop(engine=engine, system=image.diff_ids, environment=os.environ)
    interpreter = probe_system(workshop).interpreter
    source = LockedSource(url=sys.argv[2], sha256=sys.argv[3])
    with open_package_index(settings.cache_dir, os.environ) as index:
        builder = SourceBuilder(interpreter, workshop, index)
        wheel = builder.build(source)
        path = f"{settings.cache_dir}/wheels/sha256/{wheel.sha256}"
        with open(path, "rb") as file:
            first = file.read()
        os.unlink(path)
        with open(builder.provide(wheel), "rb") as file:
            second = file.read()
        try:
            builder.provide(replace(wheel, sha256="0" * 64))
        except LabboxError as error:
            refused = error.message
        try:
            probe_system(workshop, "python4")
        except LabboxError as error:
            no_python = error.message
    json.dump({
        "file": wheel.file_name, "same": first == second, "source": wheel.source == source, "refused": refused,
        "no_python": no_python, "left": os.listdir(settings.tmp_dir),
    }, sys.stdout)  # fmt: skip


main()
