"""`labbox build` of Dockerfiles from end to end, in every identity mode."""

import io
import json
import os
import subprocess
import tarfile
from typing import Any

import pytest

from harness.laboratory import Lab

Built = subprocess.CompletedProcess


class Project:
    """A folder with a Dockerfile, built by a lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.folder = lab.folder("project")

    def write(self, name: str, text: str | bytes, mode: int = 0o644) -> None:
        """A file of the context."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
        os.chmod(path, mode)
        for parent, folders, files in os.walk(self.folder):
            for entry in (parent, *(os.path.join(parent, name) for name in (*folders, *files))):
                os.chown(entry, self.lab.person.uid, self.lab.person.gid, follow_symlinks=False)

    def build(self, dockerfile: str, *flags: str, **keywords: Any) -> "Built[str]":
        """Build `built` from the folder with this Dockerfile."""
        self.write("Dockerfile", dockerfile)
        return self.lab("build", "-t", "built", *flags, self.folder, **keywords)

    def built(self, dockerfile: str, *flags: str, **keywords: Any) -> "Built[str]":
        """As `build`, which must succeed."""
        done = self.build(dockerfile, *flags, **keywords)
        assert done.returncode == 0, done.stderr
        return done

    def show(self, script: str) -> str:
        """What a script prints in a container of the image."""
        done = self.lab.run("--network", "none", "--entrypoint", "", "built", "sh", "-c", script)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def owners(self, *paths: str) -> list[str]:
        """Owner and mode of files as the image keeps them: in mode `single` a container does not show owners."""
        self.lab("create", "--name", "shown", "built", "true")
        archive = os.path.join(self.folder, "shown.tar")
        assert self.lab("export", "-o", archive, "shown").returncode == 0
        self.lab("rm", "shown")
        with tarfile.open(archive) as opened:
            entries = [opened.getmember(path) for path in paths]
        os.unlink(archive)
        return [f"{entry.uid}:{entry.gid} {entry.mode:o}" for entry in entries]

    def config(self) -> dict[str, Any]:
        """The image's configuration as `inspect` shows it."""
        document: dict[str, Any] = json.loads(self.lab("image", "inspect", "built").stdout)[0]["Config"]
        return document


@pytest.fixture
def project(lab: Lab) -> Project:
    return Project(lab)


def steps_run(done: "Built[str]") -> list[str]:
    return [line.split("] ")[1] for line in done.stderr.splitlines() if line.startswith("=> [")]


def test_a_dockerfile_becomes_an_image_that_runs(project: Project) -> None:
    project.write("a.txt", "content")
    project.built(
        """\
        From tiny
        MAINTAINER Some One <one@example.org>
        RUN echo one > /one && \\
            chown developer:developer /one
        ENV QT_X11_NO_MITSHM 1
        COPY a.txt /copied/
        USER developer
        WORKDIR /home/developer/work
        RUN touch made
        CMD ["sh", "-c", "cat /one /copied/a.txt; pwd; id -u; echo $QT_X11_NO_MITSHM"]
        """
    )

    done = project.lab.run("built")
    assert done.stdout == "one\ncontent/home/developer/work\n1000\n1\n"
    assert project.owners("one", "home/developer/work") == ["1000:1000 644", "1000:1000 755"]


def test_what_the_image_says_is_the_dockerfiles(project: Project) -> None:
    project.built(
        """\
        FROM tiny
        ARG V=2
        ENV A=$V B="x $V" C='$V'
        ENV D=${A:-n}-${Z:+y}
        LABEL l.a=1 "l b"="two words"
        EXPOSE 80 53/udp
        VOLUME ["/vol"]
        STOPSIGNAL SIGINT
        HEALTHCHECK --interval=5s --retries=2 CMD ["true"]
        SHELL ["/bin/sh", "-e", "-c"]
        ENTRYPOINT echo hi
        ONBUILD RUN true
        """,
        "--label", "l.c=3",
    )  # fmt: skip

    config = project.config()
    assert config["Env"] == ["A=2", "B=x 2", "C=$V", "D=2-"]
    assert config["Labels"] == {"l.a": "1", "l b": "two words", "l.c": "3"}
    assert sorted(config["ExposedPorts"]) == ["53/udp", "80/tcp"]
    assert config["Volumes"] == {"/vol": {}}
    assert config["StopSignal"] == "SIGINT"
    assert config["Healthcheck"].items() >= {"Test": ["CMD", "true"], "Interval": 5 * 10**9, "Retries": 2}.items()
    assert config["Entrypoint"] == ["/bin/sh", "-e", "-c", "echo hi"]
    assert config["OnBuild"] == ["RUN true"]


def test_a_second_build_takes_everything_from_the_cache(project: Project) -> None:
    text = "FROM tiny\nCOPY . /c\nRUN date > /when\nENV A=1\nRUN cat /when\n"
    project.write("x", "1")
    first = project.built(text, "--json")
    os.utime(os.path.join(project.folder, "x"), (1, 1))
    second = project.built(text)
    again = project.built(text, "--json")

    assert steps_run(second) == ["FROM tiny"]
    assert json.loads(again.stdout)["id"] == json.loads(first.stdout)["id"]
    project.write("x", "2")
    assert steps_run(project.built(text)) == [
        "FROM tiny", "COPY . /c", "RUN date > /when", "ENV A=1", "RUN cat /when",
    ]  # fmt: skip
    assert len(steps_run(project.built(text, "--no-cache"))) == 5


def test_an_argument_counts_where_it_is_used(project: Project) -> None:
    text = "FROM tiny\nRUN true > /a\nARG V=1\nRUN echo $V > /v\n"
    project.built(text)

    assert steps_run(project.built(text, "--build-arg", "V=2"))[-1:] == ["RUN echo $V > /v"]
    assert project.show("cat /v") == "2\n"
    assert steps_run(project.built(text)) == ["FROM tiny"]


def test_stages_are_built_when_they_are_needed(project: Project) -> None:
    text = """\
    ARG BASE=tiny
    FROM $BASE AS one
    RUN echo 1 > /one
    FROM tiny AS two
    RUN echo 2 > /two && chown tester /two
    FROM tiny AS broken
    RUN exit 9
    FROM scratch AS final
    COPY --from=tiny / /
    COPY --from=one /one /o/
    COPY --from=1 /two /o/
    COPY --from=two --chown=5:6 --chmod=600 /two /o/three
    """
    done = project.built(text)

    assert "exit 9" not in done.stderr
    assert project.show("cat /o/one /o/two") == "1\n2\n"
    assert project.owners("o/two", "o/three") == ["1234:0 644", "5:6 600"]
    assert project.build(text, "--target", "broken").returncode == 1
    assert "target stage `none`" in project.build(text, "--target", "none").stderr


def test_what_is_copied_where(project: Project) -> None:
    for name in ("f1", "f2", "d/in/deep", "d/top", "odd name"):
        project.write(name, name, 0o640)
    os.symlink("top", os.path.join(project.folder, "d/link"))
    os.symlink("/etc/shadow", os.path.join(project.folder, "d/away"))
    project.built(
        """\
        FROM tiny
        RUN mkdir -p /real/etc && ln -s /real/etc /cfg && ln -s ../outside /real/up && echo old > /real/file
        RUN ln -s file /real/alias
        WORKDIR /w
        COPY f1 plain
        COPY f1 f2 many/
        COPY d tree
        COPY d/ tree2/sub/
        COPY f* glob/
        COPY f1 /cfg
        COPY f2 /real/alias
        COPY ["odd name", "/w/odd name 2"]
        COPY --chown=tester:staff --chmod=u=rw,go= f1 new/owned
        COPY --exclude=in d without
        COPY --parents d/in/deep f1 /par/
        """
    )
    shown = project.show("cd /w; for d in many tree tree2/sub glob without; do echo $d: $(ls $d); done; cat odd*2")
    assert shown.splitlines() == [
        "many: f1 f2", "tree: away in link top", "tree2/sub: away in link top", "glob: f1 f2", "without: away link top",
        "odd name",
    ]  # fmt: skip
    assert project.show(
        "cat /real/etc/f1 /real/file; cd /w/tree; readlink /real/alias; readlink away; readlink link"
    ) == ("f1f2file\n/etc/shadow\ntop\n")
    assert project.owners("w/new", "w/new/owned", "w/plain", "w/tree") == [
        "1234:50 755", "1234:50 600", "0:0 640", "0:0 755",
    ]  # fmt: skip
    assert project.show("cat /par/d/in/deep /par/f1") == "d/in/deepf1"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("COPY nothing /x", "`nothing`: not found"),
        ("COPY ../secret /x", "`../secret`: not found"),
        ("COPY /etc/passwd /x", "not found"),
        ("COPY a b /x", "the destination must be a directory and end with a /"),
        ("COPY d /etc/passwd", "cannot copy to non-directory: /etc/passwd"),
        ("COPY --chown=nobody-here a /x", "no user `nobody-here`"),
        ("COPY --from=9 /a /b", "9"),
        ("ADD --checksum=sha256:00 http://127.0.0.1:1/x /x", "cannot fetch"),
        ("WORKDIR /etc/passwd", "is not a directory"),
        ("RUN --mount=type=secret,id=none,required true", "secret `none`: not found"),
        ("USER $", ""),
    ],
)
def test_a_step_that_cannot_be_done_is_named(project: Project, line: str, message: str) -> None:
    project.write("a", "")
    project.write("b", "")
    project.write("d/x", "")
    done = project.build(f"FROM tiny\n{line}\n")

    if message:
        assert done.returncode != 0
        assert message in done.stderr
        assert "Dockerfile:2" in done.stderr
        assert project.lab("image", "inspect", "built-by-nobody").returncode != 0


def test_a_failing_command_shows_its_line_and_output_and_names_nothing(project: Project) -> None:
    project.lab("rmi", "failed")
    project.write("Dockerfile", "FROM tiny\n\nRUN echo telling; \\\n  exit 4\n")
    done = project.lab("build", "-q", "-t", "failed", project.folder)

    assert done.returncode == 1
    assert "Dockerfile:3: RUN" in done.stderr
    assert "exit code: 4" in done.stderr
    assert "telling" in done.stderr
    assert project.lab("image", "inspect", "failed").returncode != 0


def test_here_documents(project: Project) -> None:
    project.built(
        "FROM tiny\nARG WHO=me\nCOPY <<one <<'two' /h/\nfor $WHO\none\nfor $WHO\ntwo\n"
        "RUN <<EOF\necho first > /r\necho second >> /r\nEOF\n"
        "RUN <<EOF\n#!/bin/cat\nprogram\nEOF\n"
        "RUN cat <<-A > /p && cat <<B >> /p\n\ta\n\tA\nb\nB\n"
    )
    assert project.show("cat /h/one /h/two /r /p") == "for me\nfor $WHO\nfirst\nsecond\na\nb\n"


def test_the_context_is_what_dockerignore_leaves(project: Project) -> None:
    for name in ("keep", "drop", "sub/keep", "sub/drop", "sub/back"):
        project.write(name, name)
    project.write(".dockerignore", "**/drop\nsub\n!sub/back\n.dockerignore\nDockerfile\n")
    project.built("FROM tiny\nCOPY . /c\n")
    assert project.show("cd /c; find . | sort").split() == [".", "./keep", "./sub", "./sub/back"]

    project.write("other.Dockerfile", "FROM tiny\nCOPY . /c\n")
    project.write("other.Dockerfile.dockerignore", "*\n!drop\n")
    done = project.lab("build", "-t", "built", "-f", f"{project.folder}/other.Dockerfile", project.folder)
    assert done.returncode == 0, done.stderr
    assert project.show("ls /c") == "drop\n"


def test_mounts_of_run_leave_nothing_behind(project: Project) -> None:
    project.write("f", "from context\n")
    project.write("secret.txt", "s3cret\n")
    text = """\
    FROM tiny AS other
    RUN echo from stage > /o
    FROM tiny
    RUN --mount=type=secret,id=s,uid=1000 cat /run/secrets/s > /seen; stat -c %a /run/secrets/s >> /seen
    RUN --mount=type=bind,target=/ctx cat /ctx/f >> /seen; ! touch /ctx/x
    RUN --mount=type=bind,from=other,target=/other cat /other/o >> /seen
    RUN --mount=type=bind,source=f,target=/w/f,rw echo more >> /w/f; cat /w/f >> /seen
    RUN --mount=type=tmpfs,target=/t touch /t/x
    RUN --mount=type=cache,target=/cache echo x >> /cache/n; cat /cache/n >> /seen
    """
    project.built(text, "--secret", f"id=s,src={project.folder}/secret.txt")

    assert project.show("cat /seen").splitlines() == [
        "s3cret", "400", "from context", "from stage", "from context", "more", "x",
    ]  # fmt: skip
    assert project.show("ls -d /ctx /other /w /t /cache /run/secrets 2>/dev/null; true") == ""
    project.built(text, "--no-cache", "--secret", f"id=s,src={project.folder}/secret.txt")
    assert project.show("tail -n 2 /seen") == "x\nx\n"


def test_certificates_and_proxies_are_seen_and_not_kept(project: Project, mode: str) -> None:
    if not os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
        pytest.skip("this host has no certificates")
    project.built('FROM tiny\nRUN test -s "$SSL_CERT_FILE" && echo "$SSL_CERT_FILE" > /where\n')

    assert project.show("cat /where; ls -d $(cat /where) 2>/dev/null; true").splitlines() == ["/dev/labbox/ca.crt"]
    assert not any("CERT" in entry for entry in project.config().get("Env") or [])


def test_archives_are_unpacked_by_add_only(project: Project) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, kind in (("d", tarfile.DIRTYPE), ("d/f", tarfile.REGTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.uid, entry.gid = kind, 0o750, 1234, 50
            archive.addfile(entry)
    project.write("a.tar.gz", stream.getvalue())
    project.write("plain.gz", b"\x1f\x8b nonsense")
    project.built("FROM tiny\nADD a.tar.gz plain.gz /add/\nCOPY a.tar.gz /copy/\nADD --unpack=false a.tar.gz /raw/\n")

    assert project.show("ls /add /copy /raw") == "/add:\nd\nplain.gz\n\n/copy:\na.tar.gz\n\n/raw:\na.tar.gz\n"
    assert project.owners("add/d", "add/d/f") == ["1234:50 750", "1234:50 750"]


def test_triggers_of_the_base_are_run(project: Project) -> None:
    project.write("f", "triggered\n")
    project.built("FROM tiny\nONBUILD COPY f /t\nONBUILD RUN cat /t > /u\n")
    project.lab("tag", "built", "trigger")
    project.built("FROM trigger\nRUN cat /u > /v\n")

    assert project.show("cat /v") == "triggered\n"
    assert not project.config().get("OnBuild")


def test_the_context_may_come_from_stdin(project: Project) -> None:
    done = project.lab("build", "-t", "built", "-", input="FROM tiny\nRUN echo x > /x\n")
    assert done.returncode == 0, done.stderr
    assert project.show("cat /x") == "x\n"

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in (("Dockerfile", b"FROM tiny\nCOPY f /\n"), ("f", b"packed\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    done = project.lab("build", "-t", "built", "-", input=stream.getvalue())
    assert done.returncode == 0, done.stderr
    assert project.show("cat /f") == "packed\n"

    project.write("f", "folder\n")
    done = project.lab("build", "-t", "built", "-f", "-", project.folder, input="FROM tiny\nCOPY f /\n")
    assert done.returncode == 0, done.stderr
    assert project.show("cat /f") == "folder\n"


def test_the_same_image_comes_out_whenever_the_time_is_given(project: Project) -> None:
    text = "FROM tiny\nRUN mkdir /d; echo x > /d/f\nCOPY Dockerfile /d/\n"
    epoch = "SOURCE_DATE_EPOCH=1700000000"
    ids = [project.built(text, "--no-cache", "-q", "--build-arg", epoch).stdout for _ in range(2)]

    assert ids[0] == ids[1]
    assert project.show("stat -c %Y /d/f /d/Dockerfile") == "1700000000\n1700000000\n"


def test_flags_of_labs_and_of_dockerfiles_do_not_mix(project: Project) -> None:
    done = project.build("FROM tiny\n", "--check")

    assert done.returncode != 0
    assert "--check is for the image of a lab" in done.stderr


def test_a_folder_with_a_dockerfile_alone_is_built_without_flags(project: Project) -> None:
    project.write("Dockerfile", "FROM tiny\nCMD true\n")
    iid_file = f"{project.folder}/iid"
    done = project.lab("build", project.folder)

    assert done.returncode == 0, done.stderr
    assert "=> writing image sha256:" in done.stderr
    done = project.lab("build", "--iidfile", iid_file, "-q", project.folder)
    with open(iid_file, encoding="utf-8") as file:
        assert file.read() == done.stdout.strip()
