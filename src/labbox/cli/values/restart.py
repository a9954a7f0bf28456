"""`--restart no|on-failure[:max]|always|unless-stopped` (docker/cli, opts/opts.go)."""

from labbox.engine.specification import RestartPolicy
from labbox.errors import UsageError


def parse_restart(text: str) -> RestartPolicy:
    """The restart policy; raises UsageError with docker's reason."""
    name, colon, count = text.partition(":")
    maximum = _parse_count(count) if colon else 0
    match name:
        case "" | "no":
            policy = RestartPolicy("no", maximum)
        case "always" | "unless-stopped" | "on-failure":
            policy = RestartPolicy(name, maximum)
        case _:
            hint = "the policies are no, on-failure[:MAX], always, unless-stopped"
            raise UsageError(f"invalid restart policy '{name}'", hint=hint)
    if maximum and policy.name != "on-failure":
        raise UsageError(f"maximum retry count cannot be used with restart policy '{name}'")
    return policy


def _parse_count(text: str) -> int:
    if not text.lstrip("-").isdigit():
        raise UsageError("invalid restart policy format: maximum retry count must be an integer")
    if text.startswith("-"):
        raise UsageError("maximum retry count cannot be negative")
    return int(text)
