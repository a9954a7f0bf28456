"""Fixtures for all tests, and the rule that in CI nothing is skipped but what tests/allowed_skips.txt names."""

import fnmatch
import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from harness.dockerd import Docker, DockerEngine, missing_for_docker
from harness.laboratory import Lab
from harness.workplace import MODES, Workplace

_ALLOWED_SKIPS = os.path.join(os.path.dirname(__file__), "allowed_skips.txt")


@pytest.fixture(scope="session")
def workplace() -> Iterator[Workplace]:
    """The folder of this test run."""
    made = Workplace()
    yield made
    made.close()


@pytest.fixture(scope="session", params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Each identity mode in turn; `harness.modes` has marks that choose."""
    return str(request.param)


@pytest.fixture(scope="session")
def laboratories(workplace: Workplace) -> dict[str, Lab]:
    """The laboratories made so far, by mode."""
    return {}


@pytest.fixture
def lab(mode: str, workplace: Workplace, laboratories: dict[str, Lab]) -> Iterator[Lab]:
    """The real command in one mode with the image `tiny`; after the test all is removed, and leaks are failures."""
    if mode not in laboratories:
        try:
            laboratories[mode] = workplace.make_lab(mode)
        except LookupError as error:
            pytest.skip(str(error))
    yield laboratories[mode]
    laboratories[mode].clear()


@pytest.fixture(scope="session")
def docker_engine(workplace: Workplace) -> Iterator[DockerEngine]:
    """A private Docker Engine with the same tiny image."""
    missing = missing_for_docker()
    if missing:
        pytest.skip(missing)
    with DockerEngine(workplace.archive) as engine:
        yield engine


@pytest.fixture
def docker(docker_engine: DockerEngine) -> Iterator[Docker]:
    """The real `docker` command on the private engine; after the test its containers are removed."""
    yield docker_engine.client
    docker_engine.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
        _refuse_skip(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.outcome == "skipped":
        _refuse_skip(report, collector.nodeid)
    return report


def _refuse_skip(report: Any, name: str) -> None:
    """In CI a skip that is not on the written list is a failure."""
    if os.environ.get("CI", "") not in ("1", "true"):
        return
    reason = str(report.longrepr[2]).removeprefix("Skipped: ")
    if not any(fnmatch.fnmatchcase(reason, pattern) for pattern in _read_allowed_skips()):
        report.outcome = "failed"
        report.longrepr = f"{name}: skipped in CI for a reason that tests/allowed_skips.txt does not list: {reason}"


def _read_allowed_skips() -> list[str]:
    with open(_ALLOWED_SKIPS, encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]
