"""What commands start from: this user's settings and the engine that runs their containers."""

import os

from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.launch import Launch
from labbox.settings import Settings, load_settings


def open_settings() -> Settings:
    """This user's folders."""
    return load_settings(os.environ)


def open_engine(launch: Launch | None = None) -> EmbeddedEngine:
    """The engine over this user's containers; nothing is tried before it is used."""
    return EmbeddedEngine(load_settings(os.environ), os.environ, launch)
