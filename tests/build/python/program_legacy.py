"""Resolves requirements for the system's Python 2.7 and prints the wheels. Arguments: image, file, requirements."""

import json
import os
import sys

from labbox.build.interpreter import probe_system
from labbox.build.python.legacy_resolution import resolve_legacy
from labbox.build.workshop import Workshop
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import ResolutionError
from labbox.settings import load_settings
from labbox.store.images import ImageStore


def main() -> None:
    settings = load_settings(os.environ)
    engine = EmbeddedEngine(settings, os.environ)
    image = ImageStore(settings.store_dir).find(sys.argv[1])
    assert image is not None
    workshop = Workshop(engine=engine, system=image.diff_ids, environment=os.environ)
    probed = probe_system(workshop, "python2.7")

    def resolve(packages: list[str], files: list[str]) -> list[dict[str, object]]:
        found = resolve_legacy(
            packages, files, interpreter=probed.interpreter, workshop=workshop, report=lambda *_: None
        )
        return [
            {
                "name": wheel.name, "version": wheel.version, "file": wheel.file_name, "url": wheel.url,
                "sha256": wheel.sha256, "source": wheel.source and wheel.source.url,
                "cached": os.path.getsize(f"{settings.cache_dir}/wheels/sha256/{wheel.sha256}") == wheel.size,
            }
            for wheel in found
        ]  # fmt: skip

    wheels = resolve(sys.argv[3:], [sys.argv[2]])
    try:
        resolve(["six==0.0.1"], [])
    except ResolutionError as error:
        refused = error.message
    json.dump({"abi": probed.interpreter.abi, "glibc": probed.glibc, "wheels": wheels, "refused": refused}, sys.stdout)


main()
