"""Why uv could not do what was asked: its explanation, shortened to the reason, with what to change."""

import re

from labbox.errors import DownloadError, PackageError, ResolutionError

_TAIL = re.compile(r",? we can conclude that (your requirements|the requirements) are unsatisfiable\.?$")
_UNREACHABLE = re.compile(
    r"Request failed|error sending request|dns error|tcp connect error|timed out|network was disabled"
)
_NOT_FOUND = re.compile(r"\b(\S+) was not found in (?:the package registry|the provided package locations)")
_NO_VERSION = re.compile(r"(?:there is no version of|no versions? of) ([A-Za-z0-9._\-]+)\S*")
_NO_WHEEL = re.compile(r"([A-Za-z0-9._\-]+?)[=<>,.\d!*a-z]* has no (?:usable wheels|wheels with a matching)")
_BUILD = re.compile(r"Failed to (?:build|download and build) `([^`]+)`|The build backend returned an error")
_LONGEST = 1200


def explain(errors: str, *, returncode: int) -> PackageError:
    """The error for what uv wrote when it failed."""
    message, causes, hints = _parts(errors)
    if not message:
        return ResolutionError(f"uv failed with exit code {returncode}: {errors.strip()[-_LONGEST:] or 'no output'}")
    if message.startswith("No solution found"):
        return _unsolvable(_sentences(causes), hints)
    everything = "\n".join([message, *causes])
    if _UNREACHABLE.search(everything):
        return DownloadError(
            f"the Python package index cannot be reached: {_unreachable([message, *causes])}",
            hint="Check the network; UV_DEFAULT_INDEX names another index.",
        )
    build = _BUILD.search(everything)
    if build:
        return ResolutionError(
            f"cannot learn what `{build.group(1) or 'a package'}` depends on, since it must be built from source: "
            f"{_shorten(causes[-1] if causes else message)}",
            hint="Ask for a version that has wheels.",
        )
    return ResolutionError(f"{_shorten(_join(message, causes))}", hint=_first_sentence(hints))


def _unsolvable(reason: str, hints: list[str]) -> PackageError:
    if "network was disabled" in " ".join(hints):
        return DownloadError(
            f"no network is allowed, and what is known without it does not suffice: {_shorten(reason)}",
            hint="Lock once with the network (without UV_OFFLINE).",
        )
    refusal = next((hint for hint in hints if "credentials" in hint), None)
    if refusal is not None:
        return DownloadError(
            f"the Python package index lets nobody in without a password: {_shorten(refusal)}",
            hint="Write `user:password@` before the host in UV_DEFAULT_INDEX or UV_INDEX, which stay out of the lock.",
        )
    found = _NOT_FOUND.search(reason)
    if found:
        name = found.group(1)
        return ResolutionError(
            f"there is no Python package `{name}` in the index", hint=f"Correct the name `{name}`, or add its index."
        )
    message = f"the Python packages cannot be had together: {_shorten(reason)}"
    if _NO_WHEEL.search(reason):
        available = _first_sentence(hints)
        message = f"there is no wheel for the lab's Python or platform: {_shorten(reason)}"
        return ResolutionError(
            f"{message}. {available}" if available else message,
            hint="Ask for another version of the package, or for another Python.",
        )
    missing = _NO_VERSION.search(reason)
    if missing and "depends on" not in reason:
        return ResolutionError(
            f"no such version: {_shorten(reason)}",
            hint=f"Relax the version that is asked of `{_bare(missing.group(1))}`.",
        )
    return ResolutionError(message, hint=_what_to_relax(reason))


def _what_to_relax(reason: str) -> str:
    names = dict.fromkeys(_bare(each) for each in re.findall(r"you require ([A-Za-z0-9][A-Za-z0-9._\-]*)", reason))
    if not names:
        return "Relax one of the versions that are asked for."
    return "Relax the version of " + " or ".join(f"`{name}`" for name in names) + "."


def _parts(errors: str) -> tuple[str, list[str], list[str]]:
    """The message after `error:`, its causes and the hints, each with its continued lines joined."""
    message = ""
    causes: list[str] = []
    hints: list[str] = []
    current: list[str] | None = None
    for line in errors.splitlines():
        text = line.strip()
        if text.startswith("error: ") and not message:
            message, current = text.removeprefix("error: "), None
        elif text.startswith("cause: "):
            current = causes
            current.append(text.removeprefix("cause: "))
        elif text.startswith("hint: "):
            current = hints
            current.append(text.removeprefix("hint: "))
        elif current and text:
            current[-1] += f"\n{text}"
    return message, causes, hints


def _sentences(causes: list[str]) -> str:
    """The derivation without its last words, which say only that it failed, and without its line breaks."""
    text = re.sub(r"\s+", " ", " ".join(causes)).strip()
    text = re.sub(r"^Because ", "", _TAIL.sub("", text))
    if "(1)" not in text:  # what follows from what is before can be seen without being told
        text = re.sub(r",? we can conclude that .*?\. And because ", "; ", text)
    return text or "no reason is given"


def _unreachable(causes: list[str]) -> str:
    """The address that was asked and the innermost reason."""
    addresses = [
        re.sub(r"^Failed to fetch: `?|`$", "", cause) for cause in causes if cause.startswith("Failed to fetch")
    ]
    return f"`{addresses[0]}`: {causes[-1]}" if addresses else causes[-1]


def _join(message: str, causes: list[str]) -> str:
    return ": ".join([message, *(cause.replace("\n", " ") for cause in causes[:2])])


def _first_sentence(hints: list[str]) -> str | None:
    return re.sub(r"\s+", " ", hints[0]) if hints else None


def _shorten(text: str) -> str:
    text = re.sub(r"\s+", " ", text).rstrip(".")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _bare(name: str) -> str:
    return re.split(r"[=<>!~\[;, ]", name)[0].rstrip(".")
