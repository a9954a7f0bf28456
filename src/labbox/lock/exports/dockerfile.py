"""A lock as a Dockerfile: the same packages for plain docker, apt and pip, all of them pinned.

Debian's packages come by version from snapshot.debian.org as of the lock's day, whose index is signed, and each is
checked against the lock's sha256; Python's packages by hash (pip's --require-hashes). The image is not the same, bit
by bit, as the one that labbox builds.
"""

from collections.abc import Sequence
from datetime import datetime
from textwrap import indent

from labbox.errors import UnsupportedError
from labbox.lock.exports.requirements import requirement_line
from labbox.lock.lab import LabLock, LockedImage, LockedInterpreter, LockedWheel
from labbox.lock.system import LockedDeb, SystemLock

_MIRROR = "http://deb.debian.org"
_SNAPSHOT = "http://snapshot.debian.org/archive"
_FETCH = (
    "import hashlib, sys, urllib.request; u, s, f = sys.argv[1:]; d = urllib.request.urlopen(u).read(); "
    "assert hashlib.sha256(d).hexdigest() == s, u; open(f, 'wb').write(d)"
)


def format_dockerfile(lock: LabLock, name: str) -> str:
    """A Dockerfile; UnsupportedError for a lock that other tools cannot follow."""
    local = [wheel.name for wheel in (*lock.packages, *lock.services) if wheel.url.startswith("file:")]
    if local:
        raise UnsupportedError(
            f"{', '.join(f'`{each}`' for each in local)} come from a folder of this machine, which docker does not see",
            hint="Put the wheels on an index, and lock again.",
        )
    parts = [
        f"# {name}, written by `labbox export --format dockerfile` from labbox.lock",
        *_system(lock.system, lock.additions),
        *_environment(lock),
        *_services(lock),
        "RUN useradd --create-home --uid 1000 --shell /bin/bash developer && chown -R developer: /opt/env",
        "ENV PATH=/opt/env/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8",
        "USER developer",
        "WORKDIR /workspace",
        *_command(lock),
    ]
    return "\n".join(parts) + "\n"


def _system(system: SystemLock | LockedImage, additions: Sequence[LockedDeb]) -> list[str]:
    if isinstance(system, LockedImage):
        repository = system.name.partition("@")[0].rpartition(":")[0] or system.name
        return [f"FROM {repository}@{system.digest}", ""]
    moment = datetime.fromisoformat(system.fetched_at)
    day = [f"{_SNAPSHOT}/{suite.archive}/{moment:%Y%m%dT%H%M%SZ} {suite.suite}" for suite in system.suites]
    now = [f"{_MIRROR}/{suite.archive} {suite.suite}" for suite in system.suites]
    sources = [f"deb [check-valid-until=no] {source} main" for source in (*day, *now)]
    debs = [*system.debs, *additions]
    pins = [f"{deb.name}={deb.version}" for deb in debs]
    sums = [f"{deb.sha256}  {_cache_name(deb)}" for deb in debs]
    return [
        f"FROM {system.release.replace('sid', 'unstable')}-slim",
        "",
        "# The archive as of the lock's day; and as it is now, for what was new on that day.",
        "RUN rm -f /etc/apt/sources.list.d/* && printf '%s\\n' \\",
        _words(sources) + " > /etc/apt/sources.list",
        "",
        "# What the base image has in the same version is not fetched again; all that is fetched is checked.",
        "RUN printf '%s\\n' \\",
        _words(sums) + " > /tmp/debs.sha256",
        "RUN apt-get update && rm -f /etc/apt/apt.conf.d/docker-clean && export DEBIAN_FRONTEND=noninteractive \\",
        "    && apt-get install -y --no-install-recommends --allow-downgrades --download-only \\",
        _words(pins, quote="") + " \\",
        "    && cd /var/cache/apt/archives && for deb in *.deb; do \\",
        '        [ ! -e "$deb" ] || grep -F "  $deb" /tmp/debs.sha256 | sha256sum --check --quiet --strict - \\',
        '        || { echo "$deb is not in the lock"; exit 1; }; done \\',
        "    && apt-get install -y --no-install-recommends --allow-downgrades --no-download \\",
        _words(pins, quote="") + " \\",
        "    && apt-get clean && rm -rf /var/lib/apt/lists/* /tmp/debs.sha256",
        "",
    ]


def _environment(lock: LabLock) -> list[str]:
    lines = ["# The lab's packages."]
    if lock.interpreter.language == "2.7":
        pip = _pip(lock.packages)
        return [
            *lines,
            *_requirements(lock.packages),
            f"{_fetch_pip(lock.services_interpreter, pip)} \\",
            f"    && {lock.interpreter.path} /tmp/{pip.file_name}/pip install --no-cache-dir --no-deps \\",
            "        --require-hashes --prefix /opt/env -r /tmp/requirements.txt \\",
            "    && rm /tmp/*.whl /tmp/requirements.txt \\",
            f"    && ln -sf {lock.interpreter.path} /opt/env/bin/python",
            "ENV PYTHONPATH=/opt/env/lib/python2.7/site-packages",
            "",
        ]
    return [*lines, *_requirements(lock.packages), *_install(lock.interpreter, lock.packages, "/opt/env"), ""]


def _services(lock: LabLock) -> list[str]:
    if not lock.services:
        return []
    return [
        "# JupyterLab and TensorBoard, apart from the lab's packages.",
        *_requirements(lock.services),
        *_install(lock.services_interpreter, lock.services, "/opt/labbox", pip_of=lock.packages),
        *(
            ["RUN /opt/env/bin/python -m ipykernel install --prefix /opt/labbox --name python3"]
            if _has(lock.packages, "ipykernel")
            else []
        ),
        "",
    ]


def _install(
    interpreter: LockedInterpreter,
    wheels: Sequence[LockedWheel],
    prefix: str,
    *,
    pip_of: Sequence[LockedWheel] | None = None,
) -> list[str]:
    """A virtual environment of the system's Python, filled by the lock's own pip."""
    pip = _pip(pip_of or wheels)
    return [
        f"{_fetch_pip(interpreter, pip)} \\",
        f"    && {interpreter.path} -m venv --without-pip {prefix} \\",
        f"    && {prefix}/bin/python /tmp/{pip.file_name}/pip install --no-cache-dir --no-deps --require-hashes \\",
        "        -r /tmp/requirements.txt && rm /tmp/*.whl /tmp/requirements.txt",
    ]


def _fetch_pip(interpreter: LockedInterpreter, pip: LockedWheel) -> str:
    return f'RUN {interpreter.path} -c "{_FETCH}" \\\n        {pip.url} {pip.sha256} /tmp/{pip.file_name}'


def _requirements(wheels: Sequence[LockedWheel]) -> list[str]:
    return ["RUN printf '%s\\n' \\", _words([requirement_line(wheel) for wheel in wheels]) + " > /tmp/requirements.txt"]


def _command(lock: LabLock) -> list[str]:
    if not _has(lock.services, "jupyterlab"):
        return ['CMD ["bash"]']
    return ["EXPOSE 8888", 'CMD ["/opt/labbox/bin/jupyter-lab", "--ip=0.0.0.0", "--no-browser"]']


def _words(words: Sequence[str], quote: str = "'") -> str:
    return indent(" \\\n".join(f"{quote}{word}{quote}" for word in words), "        ")


def _cache_name(deb: LockedDeb) -> str:
    """The name that apt gives a package file in its cache: with the epoch, whose colon is written %3a."""
    return f"{deb.name}_{deb.version.replace(':', '%3a')}_{deb.architecture}.deb"


def _pip(wheels: Sequence[LockedWheel]) -> LockedWheel:
    for wheel in wheels:
        if wheel.name == "pip":
            return wheel
    raise UnsupportedError("the lock has no pip", hint="Lock again with `labbox lock --upgrade`.")


def _has(wheels: Sequence[LockedWheel], name: str) -> bool:
    return any(wheel.name == name for wheel in wheels)
