"""Labs of the suite: downloads are shared per person, and this machine's ways to the package indexes are passed on."""

import os
from collections.abc import Iterator

import pytest

from harness.laboratory import Lab
from harness.project import Project
from harness.workplace import Workplace

_WAYS = ("UV_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE")


@pytest.fixture
def lab(lab: Lab, workplace: Workplace) -> Iterator[Lab]:
    """As everywhere, with the downloads of its person."""
    before = dict(lab.environment)
    lab.environment |= lab_environment(lab, workplace)
    yield lab
    lab.environment = before


@pytest.fixture
def project(lab: Lab) -> Project:
    """A folder with a small lab's definition."""
    return Project(lab)


def lab_environment(lab: Lab, workplace: Workplace) -> dict[str, str]:
    """What a lab needs of this process's environment, and where it keeps downloads."""
    ways = {name: value for name, value in os.environ.items() if name.upper().startswith(_WAYS)}
    return {**ways, **workplace.downloads_for(lab.person)}
