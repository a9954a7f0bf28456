"""`--security-opt`, `--cap-add`, `--cap-drop` and `--privileged` as the engine's security."""

from labbox.cli.flags import parse_switch
from labbox.engine.specification import Security
from labbox.errors import UsageError


def parse_security(options: list[str], *, privileged: bool, cap_add: list[str], cap_drop: list[str]) -> Security:
    """What the container's processes may do; raises UsageError for an option that is none."""
    security = Security(
        privileged=privileged,
        cap_add=tuple(map(normalise_capability, cap_add)),
        cap_drop=tuple(map(normalise_capability, cap_drop)),
        seccomp="unconfined" if privileged else "default",
    )
    for option in options:
        security = _apply(security, option)
    return security


def normalise_capability(name: str) -> str:
    """A capability in capital letters and without CAP_; `ALL` is all of them."""
    return name.strip().upper().removeprefix("CAP_")


def _apply(security: Security, option: str) -> Security:
    name, separator, value = _split(option)
    match name:
        case "no-new-privileges":
            return security._replace(no_new_privileges=parse_switch(value) if separator else True)
        case "seccomp" if value:
            return security._replace(seccomp=_read_profile(value))
        case "systempaths" if value == "unconfined":
            return security._replace(unmask_system_paths=True)
        case "apparmor" if value == "unconfined":
            return security
        case "label" if value == "disable":
            return security
        case "apparmor" | "label" if value:
            hint = f"use {name}={'unconfined' if name == 'apparmor' else 'disable'}, or leave it out"
            raise UsageError(f"labbox sets no {name} profile: --security-opt {option}", hint=hint)
    raise UsageError(f'Invalid --security-opt: "{option}"')


def _split(option: str) -> tuple[str, str, str]:
    """Docker takes `name=value` and the older `name:value`."""
    separator = "=" if "=" in option else ":"
    return option.partition(separator)


def _read_profile(value: str) -> str:
    if value in ("unconfined", "default", "builtin"):
        return "default" if value == "builtin" else value
    try:
        with open(value, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise UsageError(f"opening seccomp profile ({value}) failed: open {value}: {reason}") from error
