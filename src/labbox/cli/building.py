"""`labbox build` of a Dockerfile: its flags read, its progress shown as lines."""

import os
import sys

from labbox.cli.flags import Arguments
from labbox.cli.images_for_containers import get_image
from labbox.cli.output import note, print_json
from labbox.cli.session import open_engine
from labbox.errors import LabboxError, UsageError
from labbox.lightweight_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labbox.actions.build_image import BuildRequest
    from labbox.build.dockerfile.workroom import Secret
    from labbox.store.images import StoredImage

# With any of these, and in a folder that defines no lab, `build` means a Dockerfile.
DOCKERFILE_FLAGS = (
    "tag", "file", "target", "build-arg", "no-cache", "pull", "iidfile", "secret", "ssh", "label", "platform",
    "network", "progress",
)  # fmt: skip
LAB_FLAGS = ("check", "frozen", "name")
_LAB_FILES = ("labbox.toml", "labbox.lock", "pyproject.toml", "requirements.txt", "environment.yml", "uv.lock")


def means_dockerfile(arguments: Arguments) -> bool:
    """Decide what `build` is to build; UsageError when the flags of both are mixed."""
    asked = [name for name in DOCKERFILE_FLAGS if arguments.is_set(name)]
    for_lab = [name for name in LAB_FLAGS if arguments.is_set(name)]
    if asked and for_lab:
        raise UsageError(
            f"--{for_lab[0]} is for the image of a lab and --{asked[0]} for a Dockerfile",
            hint="build one of them at a time",
        )
    if asked or for_lab:
        return bool(asked)
    place = arguments.positionals[0] if arguments.positionals else "."
    if place == "-" or "://" in place or place.startswith("git@"):
        return True
    from labbox.actions.build_context import find_dockerfile

    return find_dockerfile(place) is not None and not any(
        os.path.exists(os.path.join(place, name)) for name in _LAB_FILES
    )


def build_dockerfile(arguments: Arguments) -> int:
    """Build, name and report the image."""
    from labbox.actions.build_context import open_context
    from labbox.actions.build_image import build_image
    from labbox.actions.prepare_layers import prepare_layers

    if len(arguments.positionals) != 1:
        raise UsageError("`labbox build` of a Dockerfile requires 1 argument: PATH, URL or -", exit_code=1)
    for text in arguments.texts("ssh"):
        refuse_ssh(text)
    request = _read_request(arguments)
    is_quiet = arguments.switch("quiet") or arguments.switch("json") or arguments.text("progress") == "quiet"
    pull = "always" if arguments.switch("pull") else "missing"
    engine = open_engine()
    report = LineReport(is_quiet=is_quiet)
    place, file = arguments.positionals[0], arguments.text("file")
    with open_context(place, file, sys.stdin.buffer, engine.settings.tmp_dir) as context:
        image = build_image(
            engine,
            context,
            request,
            os.environ,
            report,
            lambda name: get_image(engine.settings, name, pull=pull, platform=None, quiet=is_quiet),
            lambda found: prepare_layers(engine, found),
        )
    iid_file = arguments.text("iidfile")
    if iid_file is not None:
        with open(iid_file, "w", encoding="utf-8") as opened:
            opened.write(str(image.id))
    _tell(arguments, request, image, is_quiet=is_quiet)
    return 0


class LineReport:
    """Progress as plain lines on stderr; one write a line, as several stages may speak at once."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._unfinished: dict[str, bytes] = {}

    def step(self, stage: str, number: int, total: int, text: str, *, is_cached: bool) -> None:
        """A step begins, or was found in the cache."""
        cached = "CACHED " if is_cached else ""
        self._write(f"=> {cached}[{stage} {number}/{total}] {text}\n".encode("utf-8", "surrogateescape"))

    def output(self, stage: str, data: bytes) -> None:
        """Whole lines of what a command writes, set off; the beginning of a line waits for its end."""
        lines = (self._unfinished.pop(stage, b"") + data).split(b"\n")
        if lines[-1]:
            self._unfinished[stage] = lines[-1]
        if lines[:-1]:
            self._write(b"".join(b"   " + line + b"\n" for line in lines[:-1]))

    def _write(self, data: bytes) -> None:
        if not self._is_quiet:
            sys.stderr.flush()
            view = memoryview(data)
            while view:
                view = view[os.write(sys.stderr.fileno(), view) :]


def _read_request(arguments: Arguments) -> "BuildRequest":
    from labbox.actions.build_image import BuildRequest
    from labbox.oci.reference import parse_reference

    return BuildRequest(
        names=tuple(arguments.values("tag", parse_reference)),
        target=arguments.text("target") or "",
        build_arguments=dict(_build_arguments(arguments)),
        labels={name: value for text in arguments.texts("label") for name, _, value in [text.partition("=")]},
        secrets=dict(arguments.values("secret", parse_secret)),
        platform=arguments.text("platform") or "",
        network=arguments.value("network", _read_network) or "auto",
        uses_cache=not arguments.switch("no-cache"),
    )


def _build_arguments(arguments: Arguments) -> list[tuple[str, str]]:
    """`NAME=value`; a name alone takes the value that it has here, if any."""
    found = []
    for text in arguments.texts("build-arg"):
        name, equals, value = text.partition("=")
        if equals or name in os.environ:
            found.append((name, value if equals else os.environ[name]))
    return found


def parse_secret(text: str) -> "tuple[str, Secret]":
    """Docker's `id=NAME[,src=FILE|,env=VARIABLE]`."""
    from labbox.build.dockerfile.workroom import Secret

    fields = {name.strip().lower(): value for name, _, value in (part.partition("=") for part in text.split(","))}
    unknown = set(fields) - {"id", "src", "source", "env", "type"}
    if unknown:
        raise UsageError(f"unexpected key '{min(unknown)}' in '{text}'")
    name = fields.get("id", "")
    if not name:
        raise UsageError(f"missing id in '{text}'")
    path = fields.get("src") or fields.get("source") or ""
    variable = fields.get("env", "")
    if not path and not variable:
        variable = name if name in os.environ and not os.path.exists(name) else ""
        path = "" if variable else name
    return name, Secret(path=os.path.abspath(path) if path else "", variable=variable)


def _read_network(text: str) -> str:
    networks = {"default": "auto", "bridge": "auto", "host": "host", "none": "none"}
    if text not in networks:
        raise UsageError(f"network {text} not found: use default, host or none")
    return networks[text]


def _tell(arguments: Arguments, request: "BuildRequest", image: "StoredImage", *, is_quiet: bool) -> None:
    names = [name.with_default_tag().familiar for name in request.names]
    if arguments.switch("json"):
        print_json({"id": str(image.id), "digest": str(image.manifest_digest), "names": names})
        return
    if is_quiet:
        print(image.id)
        return
    note(f"=> writing image {image.id}")
    for name in names:
        note(f"=> naming to {name}")


def refuse_ssh(text: str) -> None:
    """Only the user's own agent is passed on."""
    if text.partition("=")[0] != "default" or "=" in text:
        raise LabboxError(f"--ssh {text}: only the agent of SSH_AUTH_SOCK can be passed on", hint="write --ssh default")
