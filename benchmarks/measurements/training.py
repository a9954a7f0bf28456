"""That TensorFlow in a lab is what it is on the host: the same wheels, the same minor version of Python, compiled both.

The lab is of the Debian release whose Python the host's `/usr/bin/python3` equals; on the host uv installs the lab's
locked wheels into a virtual environment.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from benchmarks.docker_lab import pins
from benchmarks.figures import Budget, Figure, Sample, sample
from benchmarks.lab import Lab, new_lab
from benchmarks.labbox_installed import install_dependencies
from benchmarks.programs import ROOT, alternate, call, clean_environment
from benchmarks.workbench import HOST_PYTHON, Workbench

_RELEASES = {"3.11": "debian:12", "3.13": "debian:13"}
_LAB_PYTHON = "/opt/env/bin/python"
_STEPS = 60
_DEFINITION = """
[lab]
system = "{release}"

[packages]
python = ["tensorflow-cpu==2.21.*"]

[services]
jupyter = false

[container]
environment = {{ TF_CPP_MIN_LOG_LEVEL = "2" }}
"""
_REMARK = "host: the lab's wheels in a virtual environment of the host's Python {version}; the lab is of {release}"


def measure(bench: Workbench) -> Iterator[Figure]:
    install_dependencies(os.path.join(bench.folder, "venv"))
    version = _host_version()
    if version not in _RELEASES:
        raise RuntimeError(f"{HOST_PYTHON} is Python {version or 'of no kind'}: no Debian release has the same")
    lab = new_lab(bench, "training", "tensorflow")
    with open(os.path.join(lab.project, "labbox.toml"), "w", encoding="utf-8") as file:
        file.write(_DEFINITION.format(release=_RELEASES[version]))
    lab.up()
    python = _host_environment(bench, lab)
    remark = _REMARK.format(version=version, release=_RELEASES[version])
    yield _import_figure(bench, lab, python, remark)
    yield _training_figure(bench, lab, python, remark)


def _import_figure(bench: Workbench, lab: Lab, python: str, remark: str) -> Figure:
    places = [
        partial(_seconds, [*lab.engine.command, *lab.script_arguments("train.py", _LAB_PYTHON, "import")], lab),
        partial(_seconds, [*_on_host(python), "import"], None),
    ]
    inside, host = alternate(places, bench.repetitions(9, 3))
    return Figure(
        what=f"import tensorflow in the lab, to the host ({host.median:.2f} s)",
        unit="x host",
        ours=_ratios(inside, host),
        budget=Budget(highest=1.02),  # not slower, as well as it can be measured
        remark=remark,
    )


def _training_figure(bench: Workbench, lab: Lab, python: str, remark: str) -> Figure:
    """Pairs of rounds in processes that live side by side, several of each."""
    inside: list[float] = []
    host: list[float] = []
    command = [*lab.engine.command, *lab.script_arguments("train.py", _LAB_PYTHON, "serve", str(_STEPS))]
    for _ in range(bench.repetitions(4, 1)):
        with ExitStack() as stack:
            trainers = [
                stack.enter_context(_trainer(command, lab.engine.environment)),
                stack.enter_context(_trainer([*_on_host(python), "serve", str(_STEPS)], _host_variables())),
            ]
            there, here = alternate([partial(_train, trainer) for trainer in trainers], bench.repetitions(15, 8))
        inside += there.values
        host += here.values
    return Figure(
        what=f"{_STEPS} training steps in the lab, to the host ({sample(host).median:.2f} s)",
        unit="x host",
        ours=_ratios(sample(inside), sample(host)),
        budget=Budget(lowest=0.98, highest=1.02),
        remark=remark,
    )


def _host_version() -> str:
    """The version of the language of the host's own Python; empty when there is none."""
    if not os.path.exists(HOST_PYTHON):
        return ""
    return call([HOST_PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])


def _host_environment(bench: Workbench, lab: Lab) -> str:
    """The Python of a new virtual environment of the host with the lab's wheels."""
    uv, folder = os.path.join(bench.folder, "venv", "bin", "uv"), os.path.join(bench.folder, "host")
    environment = {**clean_environment(), "UV_CACHE_DIR": lab.engine.environment["UV_CACHE_DIR"]}
    call([uv, "venv", "--quiet", "--python", HOST_PYTHON, folder], environment=environment)
    python = os.path.join(folder, "bin", "python")
    wanted = ["--quiet", "--no-deps", "--compile-bytecode", "--python", python, *pins(lab.lock().packages)]
    call([uv, "pip", "install", *wanted], environment=environment)
    return python


def _on_host(python: str) -> list[str]:
    return [python, os.path.join(ROOT, "benchmarks", "train.py")]


def _host_variables() -> dict[str, str]:
    return {**clean_environment(), "TF_CPP_MIN_LOG_LEVEL": "2"}


def _seconds(command: Sequence[str], lab: Lab | None) -> float:
    return float(call(command, environment=_host_variables() if lab is None else lab.engine.environment))


@contextmanager
def _trainer(command: Sequence[str], environment: Mapping[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """A process that trains when it is told to."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as process:
        yield process
        process.communicate()


def _train(trainer: "subprocess.Popen[str]") -> float:
    if trainer.stdin is None or trainer.stdout is None:
        raise ValueError("the process has no pipes")
    trainer.stdin.write("\n")
    trainer.stdin.flush()
    answer = trainer.stdout.readline()
    if not answer:
        raise RuntimeError(f"`{' '.join(map(str, trainer.args))}` has ended")  # type: ignore[arg-type]
    return float(answer)


def _ratios(inside: Sample, host: Sample) -> Sample:
    return sample([there / here for there, here in zip(inside.values, host.values, strict=True)])
