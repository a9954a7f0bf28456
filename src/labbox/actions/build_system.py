"""The image that a lab's own Dockerfile makes for its system (`system = "./Dockerfile"`)."""

import os
import sys
from collections.abc import Mapping

from labbox.actions.bootstrap import BootstrapRequest, bootstrap
from labbox.actions.build_context import open_context
from labbox.actions.build_image import BuildRequest, build_image
from labbox.actions.find_image import find_image
from labbox.actions.prepare_layers import prepare_layers
from labbox.actions.pull_system import pull_system
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.errors import NotFoundError
from labbox.oci.reference import Reference
from labbox.store.images import StoredImage


def build_system(
    engine: EmbeddedEngine, project: str, dockerfile: str, name: Reference, environment: Mapping[str, str]
) -> StoredImage:
    """Build the Dockerfile with its own folder as context, and name the image; raises what a build raises."""
    path = os.path.join(project, dockerfile)
    if not os.path.isfile(path):
        raise NotFoundError(f"the system's Dockerfile `{dockerfile}` is not there", hint="write it, or choose an image")

    def assemble(release: str, wanted: str) -> None:
        bootstrap(engine.settings, BootstrapRequest(release=release, name=wanted), environment=environment)

    def find(wanted: str) -> StoredImage:
        return find_image(
            engine.settings,
            wanted,
            pull="missing",
            assemble=assemble,
            fetch=lambda reference: pull_system(engine, reference, environment),
        )

    with open_context(os.path.dirname(path), path, sys.stdin.buffer, engine.settings.tmp_dir) as context:
        return build_image(
            engine,
            context,
            BuildRequest(names=(name,)),
            environment,
            _Silence(),
            find,
            lambda image: prepare_layers(engine, image),
        )


class _Silence:
    """A build that nobody watches; a step that fails still tells its output."""

    def step(self, stage: str, number: int, total: int, text: str, *, is_cached: bool) -> None:
        """Nothing."""

    def output(self, stage: str, data: bytes) -> None:
        """Nothing."""
