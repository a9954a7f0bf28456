"""`labbox doctor`."""

import os
import sys

from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import print_json, wants_color
from labbox.cli.session import open_engine
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.engine.embedded.probe import Finding, probe_machine

_MARKS = {"ok": "ok", "degraded": "degraded", "missing": "MISSING"}
_COLORS = {"ok": "\x1b[32m", "degraded": "\x1b[33m", "missing": "\x1b[31m"}
COMMAND = Command(
    name="doctor",
    usage="",
    summary="Try what labbox needs on this machine and say how to fix the rest",
    flags=(JSON_FLAG, Flag("store", "", "Check every image and layer on disk instead (reads all of them)")),
    maximum=0,
)


def execute(arguments: Arguments) -> int:
    """Print one line per ability, with its fix where there is one; 1 when something needed is missing."""
    engine = open_engine()
    if arguments.switch("store"):
        return _check_store(engine, as_json=arguments.switch("json"))
    findings = probe_machine(engine.settings, os.environ.get("LABBOX_MODE") or None)
    if arguments.switch("json"):
        print_json([finding._asdict() for finding in findings])
    else:
        for line in render_findings(findings, colored=wants_color(sys.stdout)):
            print(line)
    return 1 if any(finding.level == "missing" and is_needed(finding) for finding in findings) else 0


def render_findings(findings: list[Finding], *, colored: bool) -> list[str]:
    """One line per finding, and its fix below it."""
    width = max(len(finding.name) for finding in findings) + 2
    lines = []
    for finding in findings:
        mark = f"{_MARKS[finding.level]:<10}"
        shown = f"{_COLORS[finding.level]}{mark}\x1b[0m" if colored else mark
        lines.append(f"{finding.name:<{width}}{shown}{finding.text}")
        if finding.fix:
            lines.append(f"{'':<{width}}{'':<10}fix: {finding.fix}")
    return lines


def is_needed(finding: Finding) -> bool:
    """True for an ability without which no container runs."""
    return finding.name in {"kernel", "user namespaces", "identity", "overlay", "seccomp"}


def _check_store(engine: EmbeddedEngine, *, as_json: bool) -> int:
    from labbox.actions.image_layers import every_layer_store
    from labbox.store.images import ImageStore
    from labbox.store.verify import verify_store

    problems = verify_store(ImageStore(engine.settings.store_dir), every_layer_store(engine))
    if as_json:
        print_json([problem._asdict() for problem in problems])
    else:
        for problem in problems:
            print(f"{problem.kind:<12}{problem.subject}: {problem.detail}")
        print(f"{engine.settings.store_dir}: {'whole' if not problems else f'{len(problems)} problems'}")
    return 1 if problems else 0
