"""GPUs for a container without root: their device nodes, and the driver's libraries from the host.

A description by the Container Device Interface (CDI: /etc/cdi, /var/run/cdi) is followed where the administrator has
made one; else device nodes and driver libraries are looked for. No capability is needed, and no device cgroup, so that
a GPU never disappears from a running container. Sources: the CDI specification 0.8; NVIDIA's list of driver libraries.
"""

import glob
import os
import re
import stat
import subprocess
from typing import NamedTuple

from labbox.engine.embedded import cdi
from labbox.engine.embedded.operation import Operation
from labbox.engine.specification import GpuRequest
from labbox.errors import EngineError

# Where images made for GPUs already look, by their own LD_LIBRARY_PATH.
_LIBRARY_FOLDER = "/usr/local/nvidia/lib64"
_PROGRAM_FOLDER = "/usr/local/nvidia/bin"
_LIBRARY_NAME = re.compile(
    r"(libcuda|libcudadebugger|libnvidia-[a-z0-9-]+|libnvcuvid|libnvoptix|libGLX_nvidia|libEGL_nvidia|"
    r"libGLESv[12](_CM)?_nvidia|libOpenCL|libvdpau_nvidia|libdxcore)\.so(\.[0-9.]+)?"
)
_PROGRAMS = ("nvidia-smi", "nvidia-debugdump", "nvidia-cuda-mps-control", "nvidia-cuda-mps-server")
_CONTROL_DEVICES = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset", "/dev/gdrdrv")
_LIBRARY_FOLDERS = ("/usr/local/nvidia/lib64", "/usr/lib/wsl/lib", "/run/opengl-driver/lib")


class Gpu(NamedTuple):
    """One NVIDIA GPU of this host: its device node, and its UUID where the driver tells."""

    number: int
    device: str
    uuid: str


def plan_gpus(request: GpuRequest) -> tuple[list[Operation], list[str]]:
    """Mounts and environment that give the requested GPUs; EngineError naming what is missing."""
    described = cdi.find_devices(request)
    if described is not None:
        return described
    gpus = list_gpus()
    if gpus:
        return _plan_nvidia(_select(gpus, request))
    others = [
        path for path in ("/dev/dxg", "/dev/kfd", *sorted(glob.glob("/dev/dri/renderD*"))) if os.path.exists(path)
    ]
    if "/dev/dxg" in others or "/dev/kfd" in others:
        return _plan_others(others)
    raise EngineError(
        "no GPU was found on this host: no /dev/nvidia0, /dev/kfd or /dev/dxg, and no CDI description",
        hint="on a host with an NVIDIA card, `nvidia-smi` loads the driver's devices; else leave `--gpus` out",
    )


def list_gpus() -> list[Gpu]:
    """The NVIDIA GPUs whose device nodes exist here, by their minor numbers."""
    uuids = _read_uuids()
    found = []
    for path in glob.glob("/dev/nvidia[0-9]*"):
        if stat.S_ISCHR(os.stat(path).st_mode):
            number = int(path.removeprefix("/dev/nvidia"))
            found.append(Gpu(number, path, uuids.get(number, "")))
    return sorted(found)


def _read_uuids() -> dict[int, str]:
    """UUIDs by device minor, as the driver lists them in /proc/driver/nvidia/gpus/*/information."""
    uuids = {}
    for path in glob.glob("/proc/driver/nvidia/gpus/*/information"):
        with open(path, encoding="utf-8", errors="replace") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        minor = fields.get("Device Minor", "").strip()
        if minor.isdigit():
            uuids[int(minor)] = fields.get("GPU UUID", "").strip()
    return uuids


def _select(gpus: list[Gpu], request: GpuRequest) -> list[Gpu]:
    if request.device_ids:
        return [_find(gpus, name) for name in request.device_ids]
    if request.number < 0:
        return gpus
    if request.number > len(gpus):
        raise EngineError(f"{request.number} GPUs were asked for, this host has {len(gpus)}")
    return gpus[: request.number]


def _find(gpus: list[Gpu], name: str) -> Gpu:
    for position, gpu in enumerate(gpus):
        if name == str(position) or (gpu.uuid and gpu.uuid.startswith(name)):
            return gpu
    known = ", ".join(gpu.uuid or str(position) for position, gpu in enumerate(gpus))
    raise EngineError(f"unknown GPU `{name}`", hint=f"this host has {known}")


def _plan_nvidia(gpus: list[Gpu]) -> tuple[list[Operation], list[str]]:
    devices = [gpu.device for gpu in gpus]
    devices += [path for path in (*_CONTROL_DEVICES, *sorted(glob.glob("/dev/nvidia-caps/*"))) if os.path.exists(path)]
    libraries = find_libraries()
    if not any(os.path.basename(path).startswith("libcuda.so") for path in libraries):
        raise EngineError(
            "the NVIDIA driver's library libcuda.so was not found on this host",
            hint="install the driver's user-space part, or describe the device by CDI: nvidia-ctk cdi generate",
        )
    operations = [_bind(path, path) for path in devices]
    operations += [
        _bind(path, os.path.join(_LIBRARY_FOLDER, os.path.basename(path)), read_only=True) for path in libraries
    ]
    for program in _PROGRAMS:
        path = _find_program(program)
        if path:
            operations.append(_bind(path, os.path.join(_PROGRAM_FOLDER, program), read_only=True))
    environment = [f"LD_LIBRARY_PATH={_LIBRARY_FOLDER}", "NVIDIA_VISIBLE_DEVICES=" + ",".join(_names(gpus))]
    return operations, environment


def _names(gpus: list[Gpu]) -> list[str]:
    return [gpu.uuid or str(gpu.number) for gpu in gpus]


def _plan_others(devices: list[str]) -> tuple[list[Operation], list[str]]:
    """AMD's compute devices, or the paravirtual GPU of WSL 2 with its libraries."""
    operations = [_bind(path, path) for path in devices]
    if "/dev/dxg" not in devices:
        return operations, []
    operations.append(_bind("/usr/lib/wsl", "/usr/lib/wsl", read_only=True))
    return operations, ["LD_LIBRARY_PATH=/usr/lib/wsl/lib"]


def find_libraries() -> list[str]:
    """The driver's libraries on this host by the names programs ask for (libcuda.so.1), one file each."""
    found: dict[str, str] = {}
    for path in [
        *_listed_libraries(),
        *(p for folder in _LIBRARY_FOLDERS for p in sorted(glob.glob(f"{folder}/*.so*"))),
    ]:
        name = os.path.basename(path)
        if _LIBRARY_NAME.fullmatch(name) and os.path.exists(path):
            found.setdefault(name, path)
    return sorted(found.values())


def _listed_libraries() -> list[str]:
    """64-bit libraries that the host's linker knows (ldconfig(8))."""
    for program in ("/sbin/ldconfig", "/usr/sbin/ldconfig", "ldconfig"):
        try:
            listing = subprocess.run([program, "-p"], capture_output=True, text=True, check=False).stdout
        except FileNotFoundError:
            continue
        lines = [line for line in listing.split("\n") if "=>" in line and ("x86-64" in line or "AArch64" in line)]
        return [line.rpartition("=> ")[2].strip() for line in lines]
    return []


def _find_program(name: str) -> str | None:
    for folder in (*os.environ.get("PATH", "").split(":"), "/usr/bin", _PROGRAM_FOLDER, "/usr/lib/wsl/lib"):
        path = os.path.join(folder, name)
        if folder and os.path.isfile(path):
            return path
    return None


def _bind(source: str, target: str, *, read_only: bool = False) -> Operation:
    arguments = {"source": source, "target": target, "read_only": read_only, "recursive": False, "devices": True}
    return "bind", arguments
