"""The same Dockerfile built by docker and by labbox: configuration and files must be equal."""

import io
import json
import os
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from harness.dockerd import Docker
from harness.laboratory import Lab
from harness.modes import only_root

COMPARED = (
    "User", "Env", "Cmd", "Entrypoint", "WorkingDir", "Labels", "ExposedPorts", "Volumes", "OnBuild", "StopSignal",
    "Healthcheck", "Shell",
)  # fmt: skip
EMPTY: tuple[object, ...] = (None, [], {}, "", 0)

DOCKERFILES = {
    "deck": """\
        From tiny
        MAINTAINER Hayato Sasaki <abc@mail.com>
        RUN echo "developer ALL=(ALL) NOPASSWD:ALL" >> /etc/sudoers && \\
            mkdir -p /var/run/sshd && \\
            chmod 755 /var/run/sshd
        ENV QT_X11_NO_MITSHM 1
        USER developer
        WORKDIR /home/developer
        CMD ["sudo", "/usr/sbin/sshd", "-D"]
        """,
    "configuration": """\
        FROM tiny
        ARG V=2
        ARG W
        ENV A=$V B="x $V" C='$V' D=\\$V
        ENV E=${A:-n}-${Z:-y}-${A:+z}
        ENV F one two
        LABEL "a b"=c d="e f" g=$A
        EXPOSE 80 8000-8002 53/udp
        VOLUME /v1 /v2
        VOLUME ["/v 3"]
        STOPSIGNAL SIGINT
        HEALTHCHECK --interval=5s --timeout=3s --retries=2 CMD true
        ENTRYPOINT ["/bin/sh", "-c"]
        CMD echo $A
        ONBUILD RUN echo triggered
        WORKDIR /a
        WORKDIR b/c
        WORKDIR ../d
        USER 1234:50
        """,
    "files": """\
        FROM tiny
        RUN mkdir /existing && ln -s /existing /link && rm -r /data/inner && echo new > /data/greeting
        COPY f1 /plain
        COPY f1 f2 /many/
        COPY tree /tree
        COPY tree /existing
        COPY f* /glob/
        COPY f1 /link/
        COPY --chown=tester:staff tree /owned/
        ADD archive.tar.gz /unpacked
        COPY archive.tar.gz /packed/
        WORKDIR /w
        COPY f1 .
        COPY f2 sub/
        """,
    "stages": """\
        FROM tiny AS one
        RUN mkdir /out && echo 1 > /out/one && chmod 600 /out/one
        FROM tiny AS unused
        RUN true
        FROM tiny
        COPY --from=one /out /out
        COPY --from=0 /out/one /single
        CMD true
        """,
    "removals": """\
        FROM tiny
        RUN mkdir -p /d/e && touch /d/e/f /d/g && chown -R tester:staff /d
        RUN rm -r /d/e /data && mkdir /data && touch /data/again && mv /d/g /d/h
        RUN chmod 700 /d && ln -s nowhere /soft
        """,
}


@pytest.fixture
def folder(lab: Lab) -> str:
    """A build context."""
    path = lab.folder("context")
    for name, mode in (("f1", 0o640), ("f2", 0o755), ("tree/top", 0o644), ("tree/in/deep", 0o600)):
        os.makedirs(os.path.dirname(os.path.join(path, name)), mode=0o755, exist_ok=True)
        with open(os.path.join(path, name), "w", encoding="utf-8") as file:
            file.write(name)
        os.chmod(os.path.join(path, name), mode)
        os.utime(os.path.join(path, name), (10**9, 10**9))
    os.symlink("top", os.path.join(path, "tree/link"))
    with tarfile.open(os.path.join(path, "archive.tar.gz"), "w:gz") as archive:
        entry = tarfile.TarInfo("from/archive")
        entry.uid, entry.gid, entry.mode, entry.size = 1234, 50, 0o640, 4
        archive.addfile(entry, io.BytesIO(b"file"))
    return path


@only_root
@pytest.mark.parametrize("name", DOCKERFILES)
def test_docker_and_labbox_build_the_same(lab: Lab, docker: Docker, folder: str, name: str) -> None:
    with open(os.path.join(folder, "Dockerfile"), "w", encoding="utf-8") as file:
        file.write(DOCKERFILES[name])
    arguments = ("build", "--network", "none", "-t", f"compared-{name}", folder)
    for build in (lab, docker):
        done = build(*arguments)
        assert done.returncode == 0, done.stderr + done.stdout

    assert _config(lab, name) == _config(docker, name)
    ours, dockers = _files(lab, name, folder), _files(docker, name, folder)
    different = {path for path in ours.keys() | dockers.keys() if ours.get(path) != dockers.get(path)}
    assert not {path: (ours.get(path), dockers.get(path)) for path in different}


def _config(command: Callable[..., Any], name: str) -> dict[str, Any]:
    document = json.loads(command("image", "inspect", f"compared-{name}").stdout)[0]
    config = {key: document["Config"].get(key) for key in COMPARED}
    config["Healthcheck"] = {key: value for key, value in (config["Healthcheck"] or {}).items() if value not in EMPTY}
    config["Author"] = document.get("Author")
    # docker gives every image a PATH; the tiny one has none here
    config["Env"] = [entry for entry in config["Env"] or [] if not entry.startswith("PATH=")]
    return {key: None if value in EMPTY else value for key, value in config.items()}


def _files(command: Callable[..., Any], name: str, folder: str) -> dict[str, tuple[Any, ...]]:
    container = f"shown-{name}"
    assert command("create", "--name", container, "--entrypoint", "", f"compared-{name}", "true").returncode == 0
    path = os.path.join(os.path.dirname(folder), "exported.tar")
    assert command("export", "-o", path, container).returncode == 0
    command("rm", "-v", container)
    with tarfile.open(path) as archive:
        shown = {
            entry.name.strip("/"): (
                entry.type, entry.mode & 0o7777, entry.uid, entry.gid, entry.linkname, entry.size,
                archive.extractfile(entry).read() if entry.isreg() else b"",  # type: ignore[union-attr]
            )
            for entry in archive
        }  # fmt: skip
    os.unlink(path)
    # files that the engines themselves make in a container
    ours = ("dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", ".dockerenv", "", ".")
    volumes = ("v1", "v2", "v 3")
    return {
        path: entry
        for path, entry in shown.items()
        if path.split("/")[0] not in ours[:3] and path not in (*ours, *volumes)
    }
