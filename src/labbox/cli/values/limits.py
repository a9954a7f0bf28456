"""`--ulimit`, `--cpus`, `--memory`, `--memory-swap`, `--pids-limit` as the engine's limits."""

from labbox.cli.flags import parse_integer
from labbox.cli.humanize import human_size, parse_size
from labbox.engine.specification import Resources, Ulimit
from labbox.errors import UsageError

_ULIMITS = frozenset({
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
})  # fmt: skip
_SMALLEST_MEMORY = 6 << 20  # docker's: less cannot start a process
UNLIMITED = -1


def parse_ulimit(text: str) -> Ulimit:
    """One `--ulimit name=soft[:hard]` (docker/go-units, ulimit.go)."""
    name, equals, values = text.partition("=")
    if not equals:
        raise UsageError(f"invalid ulimit argument: {text}")
    if name not in _ULIMITS:
        raise UsageError(f"invalid ulimit type: {name}")
    soft_text, colon, hard_text = values.partition(":")
    if ":" in hard_text:
        raise UsageError(
            f"too many limit value arguments - {values}, can only have up to two, `soft[:hard]`",
        )
    soft = parse_integer(soft_text)
    hard = parse_integer(hard_text) if colon else soft
    if hard != UNLIMITED and (soft == UNLIMITED or soft > hard):
        raise UsageError(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")
    return Ulimit(name, soft, hard)


def parse_cpus(text: str) -> float:
    """A number of processors, decimal or as a fraction (`1.5`, `3/2`)."""
    above, slash, below = text.partition("/")
    try:
        value = float(above) / float(below if slash else "1")
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"failed to parse {text} as a rational number") from None
    if not 0 <= value < float("inf"):
        raise UsageError(f"failed to parse {text} as a rational number")
    return value


def parse_swap(text: str) -> int:
    """A size of memory and swap together; -1 is without limit."""
    return UNLIMITED if text == "-1" else parse_size(text)


def check_resources(resources: Resources, processors: int) -> Resources:
    """The limits as they are; raises UsageError for those that docker refuses."""
    if 0 < resources.memory_bytes < _SMALLEST_MEMORY:
        raise UsageError("Minimum memory limit allowed is 6MB")
    if resources.memory_swap_bytes > 0 and not resources.memory_bytes:
        raise UsageError("You should always set the Memory limit when using Memoryswap limit, see usage")
    if 0 < resources.memory_swap_bytes < resources.memory_bytes:
        raise UsageError(
            "Minimum memoryswap limit should be larger than memory limit, see usage",
            hint=f"--memory-swap counts memory and swap together: at least {human_size(resources.memory_bytes)}",
        )
    if resources.cpus and not 0.01 <= resources.cpus <= processors:
        raise UsageError(
            f"Range of CPUs is from 0.01 to {processors}.00, as there are only {processors} CPUs available"
        )
    return resources
