"""`--gpus all`, `--gpus 2`, `--gpus '"device=0,1"'` (docker/cli, opts/gpus.go)."""

from labbox.cli.values.fields import split_fields
from labbox.engine.specification import GpuRequest
from labbox.errors import UsageError

_ALL = -1
# they choose what docker's NVIDIA hook mounts; here the driver's libraries always come whole
_IGNORED = frozenset({"driver", "capabilities", "options"})


def parse_gpus(text: str) -> GpuRequest:
    """One `--gpus`; raises UsageError with docker's reason."""
    number, device_ids, seen = 0, tuple[str, ...](), set[str]()
    for field in split_fields(text):
        name, equals, value = field.partition("=")
        name = name.lower() if equals else "count"
        if name in seen:
            raise UsageError(f"gpu request key '{name}' can be specified only once")
        seen.add(name)
        if name == "count":
            number = _parse_count(value if equals else field)
        elif name == "device":
            device_ids = tuple(filter(None, value.split(",")))
        elif name not in _IGNORED:
            raise UsageError(f"unexpected key '{name}' in '{field}'")
    if "count" in seen and "device" in seen:
        raise UsageError("cannot set both Count and DeviceIDs on device request")
    if "count" not in seen and not device_ids:
        number = 1
    return GpuRequest(number=number, device_ids=device_ids)


def _parse_count(text: str) -> int:
    if text == "all":
        return _ALL
    if not text.isdigit():
        raise UsageError(
            f'invalid count ({text}): value must be either "all" or an integer: invalid syntax',
            hint="to choose devices, quote the value whole: --gpus '\"device=0,1\"'",
        )
    return int(text)
