"""From a definition to the services of its lab, as values: what is started, on which ports, with which settings.

Nothing here starts anything: the files go into the image, where `inside/supervisor.py` reads them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from labbox.definition.values import CustomService, Definition, ServicesRequest
from labbox.errors import UsageError
from labbox.lock.lab import LockedInterpreter
from labbox.services.inside_programs import JUPYTER_LAUNCHER, inside_programs

JUPYTER, TENSORBOARD = "jupyter", "tensorboard"
JUPYTER_PORT, TENSORBOARD_PORT = 8888, 6006
DOCUMENT = "/opt/labbox/etc/services.json"
_VERSION = 1
_PYTHON = "/opt/labbox/bin/python"
_SHARE = "/opt/labbox/share/jupyter"
_PATH = "/opt/env/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_JUPYTER_SECONDS, _TENSORBOARD_SECONDS = 60.0, 60.0


class LockedInterpreters(Protocol):
    """What is asked of a lock: which Python the lab has, and which one its services run on."""

    @property
    def interpreter(self) -> LockedInterpreter:
        """The lab's."""
        ...

    @property
    def services_interpreter(self) -> LockedInterpreter:
        """The services'."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """The services of a lab.

    `files` go to the settings layer, by absolute path (executable where they start with `#!`; a name `.wh..wh..opq`
    hides what its folder has below); `environment` belongs to the image; `ports` are those inside, by service;
    `names` are all services, in the order in which they are started.
    """

    names: tuple[str, ...]
    ports: Mapping[str, int]
    files: Mapping[str, bytes]
    environment: Mapping[str, str]


def plan_services(definition: Definition, lock: LockedInterpreters) -> ServicePlan:
    """The services that a definition asks for. UsageError when two of them share a name or a port."""
    entries = list(_service_entries(definition.services))
    _check_unique(entries)
    document = {"version": _VERSION, "after_create": list(definition.after_create), "services": entries}
    files = {DOCUMENT: _json(document), **inside_programs(lock.services_interpreter)}
    if definition.services.jupyter:
        files |= jupyter_files(definition, lock.interpreter)
    return ServicePlan(
        names=tuple(entry["name"] for entry in entries),
        ports={entry["name"]: entry["port"] for entry in entries if entry["port"]},
        files=files,
        environment=image_environment(lock.interpreter),
    )


def image_environment(interpreter: LockedInterpreter) -> dict[str, str]:
    """The variables of the image: the lab's environment comes first wherever a program is looked for."""
    variables = {"PATH": _PATH, "VIRTUAL_ENV": "/opt/env", "LANG": "C.UTF-8"}
    if _is_python_2(interpreter):
        variables["PIP_PREFIX"] = "/opt/env"  # Python 2 does not know that it is in an environment
    return variables


def jupyter_files(definition: Definition, interpreter: LockedInterpreter) -> dict[str, bytes]:
    """JupyterLab's settings and the one kernel it shows: the lab's environment."""
    kernel = "python2" if _is_python_2(interpreter) else "python3"
    files = {
        "/opt/labbox/etc/jupyter/jupyter_server_config.json": _json(_server_settings(definition.services, kernel)),
        f"{_SHARE}/lab/settings/overrides.json": _json(_LAB_SETTINGS),
        f"{_SHARE}/lab/settings/page_config.json": _json(_PAGE_SETTINGS),
        f"{_SHARE}/kernels/{kernel}/kernel.json": _json(_kernel(interpreter)),
    }
    if _is_python_2(interpreter):
        files[f"{_SHARE}/kernels/.wh..wh..opq"] = b""  # the services' own Python is no kernel
    return files


def _service_entries(request: ServicesRequest) -> Iterable[dict[str, Any]]:
    if request.jupyter:
        yield _jupyter_entry()
    if request.tensorboard is not None:
        yield _tensorboard_entry(request.tensorboard)
    for service in request.custom:
        yield _custom_entry(service)


def _jupyter_entry() -> dict[str, Any]:
    """JupyterLab: -I keeps PYTHONPATH of the lab out of its own Python; kernels get it all the same."""
    return {
        "name": JUPYTER,
        "argv": [_PYTHON, "-I", JUPYTER_LAUNCHER],
        "argv_alone": ["--ServerApp.ip=0.0.0.0"],
        "environment": {
            # The services' own folder first: it has the kernel; the environment's may add kernels and extensions.
            "JUPYTER_PATH": f"{_SHARE}:/opt/env/share/jupyter",
            "SHELL": "/bin/bash",
            # %tensorboard shows its page through jupyter-server-proxy instead of an address of the browser's machine.
            "TENSORBOARD_PROXY_URL": "/proxy/%PORT%/",
        },
        "folder": "/workspace",
        "port": JUPYTER_PORT,
        "health": {"path": "/api", "timeout": _JUPYTER_SECONDS},
        "token_variable": "JUPYTER_TOKEN",
        "link": "/lab?token={token}",
    }


def _tensorboard_entry(log_folder: str) -> dict[str, Any]:
    folder = log_folder if log_folder.startswith("/") else f"/workspace/{log_folder}".rstrip("/")
    port = str(TENSORBOARD_PORT)
    argv = [_PYTHON, "-I", "-m", "tensorboard.main", "--logdir", folder, "--host", "127.0.0.1", "--port", port]
    return {
        "name": TENSORBOARD,
        "argv": argv,
        "argv_alone": ["--host", "0.0.0.0"],
        "environment": {},
        "folder": "/workspace",
        "port": TENSORBOARD_PORT,
        "health": {"path": "/", "timeout": _TENSORBOARD_SECONDS},
        "token_variable": None,
        "link": "/",
    }


def _custom_entry(service: CustomService) -> dict[str, Any]:
    return {
        "name": service.name,
        "argv": ["/bin/sh", "-c", *service.command] if service.shell else list(service.command),
        "argv_alone": [],
        "environment": {"PYTHONUNBUFFERED": "1", **dict(service.environment)},
        "folder": service.folder,
        "port": service.port,
        "health": {"path": service.health.path, "timeout": service.health.timeout_seconds} if service.port else None,
        "token_variable": None,
        "link": "/" if service.port else None,
    }


def _server_settings(request: ServicesRequest, kernel: str) -> dict[str, Any]:
    """jupyter_server_config.json: nothing is asked of the network, nothing starts that nobody needs."""
    settings: dict[str, Any] = {
        "ServerApp": {
            "ip": "127.0.0.1",
            "port": JUPYTER_PORT,
            "port_retries": 0,  # another port than the published one would never be found
            "open_browser": False,
            "root_dir": "/workspace",
            "quit_button": False,
            "terminado_settings": {"shell_command": ["/bin/bash"]},
            "jpserver_extensions": {"jupyter_lsp": False, "notebook_shim": False},
        },
        "LabApp": {
            "check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
            "extension_manager": "readonly",
            "news_url": None,
            "open_browser": False,
        },
        "KernelSpecManager": {"ensure_native_kernel": False},  # the services' own Python is no kernel
        "MultiKernelManager": {"default_kernel_name": kernel},
        "FileContentsManager": {"delete_to_trash": False},  # else the project folder gets a `.Trash-1000`
    }
    if request.tensorboard is not None:
        launcher = {"title": "TensorBoard", "category": "Other"}
        entry = {"command": [], "port": TENSORBOARD_PORT, "launcher_entry": launcher}
        settings["ServerProxy"] = {"servers": {TENSORBOARD: entry}}
    return settings


_LAB_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"},
    "@jupyterlab/extensionmanager-extension:plugin": {"enabled": False},
}
_PAGE_SETTINGS = {"buildAvailable": False, "buildCheck": False}  # rebuilding JupyterLab's pages would need Node.js


def _kernel(interpreter: LockedInterpreter) -> dict[str, Any]:
    return {
        "argv": ["/opt/env/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": f"Python {interpreter.language}",
        "language": "python",
        "metadata": {"debugger": not _is_python_2(interpreter)},
    }


def _is_python_2(interpreter: LockedInterpreter) -> bool:
    return interpreter.language.startswith("2.")


def _check_unique(entries: Iterable[Mapping[str, Any]]) -> None:
    names: dict[str, str] = {}
    ports: dict[int, str] = {}
    for entry in entries:
        name, port = entry["name"], entry["port"]
        if name in names:
            raise UsageError(f"two services are called `{name}`", hint="give one of them another name")
        if port and port in ports:
            raise UsageError(f"services `{ports[port]}` and `{name}` both want port {port}", hint="change one port")
        names[name] = name
        ports[port] = name


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"
