"""Where labbox keeps its things, and what its user has set."""

import os

from labbox.errors import UsageError
from labbox.lightweight_typing import Any, Mapping, NamedTuple


class Settings(NamedTuple):
    """Folders of labbox (absolute paths) and the user's settings file (`config.toml`)."""

    data_dir: str
    runtime_dir: str
    config_file: str
    own_cache_dir: str = ""

    @property
    def store_dir(self) -> str:
        """The image store."""
        return os.path.join(self.data_dir, "store")

    @property
    def containers_dir(self) -> str:
        """One folder per container."""
        return os.path.join(self.data_dir, "containers")

    @property
    def volumes_dir(self) -> str:
        """One folder per named volume."""
        return os.path.join(self.data_dir, "volumes")

    @property
    def cache_dir(self) -> str:
        """What can be fetched or computed again."""
        return self.own_cache_dir or os.path.join(self.data_dir, "cache")

    @property
    def tmp_dir(self) -> str:
        """Unfinished work; on the same file system as the store."""
        return os.path.join(self.data_dir, "tmp")


def load_settings(environment: Mapping[str, str]) -> Settings:
    """Folders by the XDG Base Directory Specification; `LABBOX_HOME` moves everything into one folder.

    `LABBOX_CACHE` moves what was downloaded, so that several homes of one user may share it.
    """
    home = environment.get("HOME") or os.path.expanduser("~")
    everything = environment.get("LABBOX_HOME")
    cache = environment.get("LABBOX_CACHE")
    own_cache_dir = os.path.abspath(cache) if cache else ""
    if everything:
        top = os.path.abspath(everything)
        return Settings(
            data_dir=os.path.join(top, "data"),
            runtime_dir=os.path.join(top, "run"),
            config_file=os.path.join(top, "config.toml"),
            own_cache_dir=own_cache_dir,
        )
    data_home = environment.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    config_home = environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return Settings(
        data_dir=os.path.join(data_home, "labbox"),
        runtime_dir=_runtime_dir(environment.get("XDG_RUNTIME_DIR")),
        config_file=os.path.join(config_home, "labbox", "config.toml"),
        own_cache_dir=own_cache_dir,
    )


def read_config(settings: Settings) -> dict[str, Any]:
    """The user's settings file as a dictionary, empty when there is none; raises UsageError naming the fault."""
    import tomllib  # noqa: PLC0415  (not needed by run and exec)

    try:
        with open(settings.config_file, "rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"cannot read settings `{settings.config_file}`: {error}") from error


def _runtime_dir(from_environment: str | None) -> str:
    if from_environment and os.path.isdir(from_environment):
        return os.path.join(from_environment, "labbox")
    return f"/tmp/labbox-{os.getuid()}"
