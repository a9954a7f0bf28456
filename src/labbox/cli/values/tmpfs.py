"""`--tmpfs /path:size=64m,mode=1777` (docker's daemon takes the options of mount(8))."""

from labbox.cli.humanize import parse_size
from labbox.engine.notation.paths import check_target
from labbox.engine.specification import Mount
from labbox.errors import UsageError

_WORDS = frozenset({
    "ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "sync", "async", "noatime", "atime", "nodiratime",
    "diratime", "relatime", "norelatime", "strictatime", "nostrictatime",
})  # fmt: skip
_NUMBERS = frozenset({"uid", "gid", "nr_inodes", "nr_blocks"})


def parse_tmpfs(text: str) -> Mount:
    """One `--tmpfs`; raises UsageError for an option that is none."""
    path, _, options_text = text.partition(":")
    target = check_target(path, "invalid tmpfs")
    size_bytes, mode, words = 0, 0o1777, list[str]()
    for option in filter(None, options_text.split(",")):
        name, _, value = option.partition("=")
        if name == "size":
            size_bytes = parse_size(value)
        elif name == "mode":
            mode = _parse_mode(value, option)
        elif option in _WORDS or (name in _NUMBERS and value.isdigit()):
            words.append(option)
        else:
            raise UsageError(f'invalid tmpfs option ["{option}"]')
    return Mount(kind="tmpfs", target=target, size_bytes=size_bytes, mode=mode, options=tuple(words))


def _parse_mode(value: str, option: str) -> int:
    try:
        return int(value, 8)
    except ValueError:
        raise UsageError(f'invalid tmpfs option ["{option}"]') from None
