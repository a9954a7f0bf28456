"""Statements as instructions: flags and arguments checked, and any text at all answered by a value or a clear error."""

import random
from contextlib import suppress

import pytest

from labbox.build.dockerfile.failures import DockerfileError
from labbox.build.dockerfile.instructions import Arg, Copy, From, Instruction, Maintainer, Run, RunMount
from labbox.build.dockerfile.parsing import parse_dockerfile
from labbox.build.dockerfile.stages import make_plan
from labbox.errors import LabboxError, NotFoundError

DECK = """\
From tensorflow/tensorflow
MAINTAINER Hayato Sasaki <abc@mail.com>
RUN apt-get update && \\
    apt-get install -y openssh-server python-qt4
RUN adduser --disabled-password --gecos "" developer && \\
    echo "developer ALL=(ALL) NOPASSWD:ALL" >> /etc/sudoers && \\
    cp -r /notebooks /home/developer && chown -R developer:developer /home/developer/
ENV QT_X11_NO_MITSHM 1
USER developer
WORKDIR /home/developer
CMD ["sudo", "/usr/sbin/sshd", "-D"]
"""


def second(line: str) -> Instruction:
    return parse_dockerfile(f"FROM a\n{line}")[1][1]


def test_a_dockerfile_of_2016_is_read() -> None:
    _, instructions = parse_dockerfile(DECK)

    start, author = instructions[:2]
    assert isinstance(start, From)
    assert start.image == "tensorflow/tensorflow"
    assert isinstance(author, Maintainer)
    assert author.author == "Hayato Sasaki <abc@mail.com>"
    assert [item.statement.name for item in instructions[2:]] == ["RUN", "RUN", "ENV", "USER", "WORKDIR", "CMD"]


def test_run_is_for_the_shell_or_for_nobody() -> None:
    shell, plain, odd = second("RUN echo $A"), second('RUN ["a", "$B"]'), second("RUN [ -e /x ]")

    assert isinstance(shell, Run)
    assert (shell.words, shell.script) == (None, "echo $A")
    assert isinstance(plain, Run)
    assert plain.words == ("a", "$B")
    assert isinstance(odd, Run)
    assert (odd.words, odd.script) == (None, "[ -e /x ]")


def test_a_here_document_is_a_script_a_program_or_part_of_a_command() -> None:
    script, program, part = (
        second("RUN <<E\na\nb\nE"),
        second("RUN <<E\n#!/bin/cat\nb\nE"),
        second("RUN cat <<E > /x\na\nE"),
    )

    assert isinstance(script, Run)
    assert (script.script, script.program) == ("a\nb\n", "")
    assert isinstance(program, Run)
    assert (program.script, program.program) == ("", "#!/bin/cat\nb\n")
    assert isinstance(part, Run)
    assert part.script == "cat <<E > /x\na\nE"


def test_mounts_of_run() -> None:
    run = second(
        "RUN --mount=target=/a --mount=type=cache,dst=/c,id=x,sharing=locked,mode=0700,uid=5,gid=6"
        " --mount=type=secret,id=s,required --mount=type=tmpfs,target=/t,size=2m --mount=src=a,target=/d,rw x"
    )

    assert isinstance(run, Run)
    assert run.mounts == (
        RunMount(target="/a", read_only=True),
        RunMount(kind="cache", target="/c", id="x", sharing="locked", mode=0o700, uid=5, gid=6),
        RunMount(kind="secret", id="s", required=True),
        RunMount(kind="tmpfs", target="/t", size_bytes=2 << 20),
        RunMount(source="a", target="/d"),
    )


def test_copy_and_add_with_every_flag() -> None:
    copy = second("COPY --from=x --chown=1:2 --chmod=u=rwX --link --parents --exclude=*.o --exclude=t a b /c/")
    add = second('ADD --checksum=sha256:aa --keep-git-dir=false --unpack=true ["a b", "/c"]')

    assert isinstance(copy, Copy)
    assert (copy.sources, copy.destination, copy.from_stage, copy.owner) == (("a", "b"), "/c/", "x", "1:2")
    assert (copy.mode, copy.link, copy.parents, copy.excludes) == ("u=rwX", True, True, ("*.o", "t"))
    assert isinstance(add, Copy)
    assert (add.is_add, add.sources, add.checksum, add.unpack, add.keeps_git_dir) == (
        True, ("a b",), "sha256:aa", True, False,
    )  # fmt: skip


def test_arguments_with_and_without_defaults() -> None:
    arg = second("ARG A B=1 C='x y' D=")

    assert isinstance(arg, Arg)
    assert arg.pairs == (("A", None), ("B", "1"), ("C", "'x y'"), ("D", ""))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("RUNN x", "line 2: unknown instruction: RUNN (did you mean RUN?)"),
        ("RUN", "RUN requires at least one argument"),
        ("COPY a", "COPY requires at least two arguments"),
        ("COPY --frm=x a b", "unknown flag: --frm (did you mean --from?)"),
        ("COPY --from a b", "missing a value on flag: --from"),
        ("COPY --from=a --from=b c d", "duplicate flag specified: --from"),
        ("COPY --link=perhaps a b", "expecting boolean value for flag --link"),
        ("ADD --from=x a b", "unknown flag: --from"),
        ("ENV A", "must have two arguments"),
        ("ENV --x A=b", "unknown flag: --x"),
        ("ENV A='b", "a single quote is not closed"),
        ("FROM a b", "either one or three arguments"),
        ("FROM a AS 1x", "invalid name for build stage: `1x`"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("ONBUILD ONBUILD RUN x", "ONBUILD isn't allowed"),
        ("ONBUILD COPY a", "COPY requires at least two"),
        ("SHELL sh -c", "SHELL requires the arguments to be in JSON form"),
        ("EXPOSE http", "invalid containerPort: http"),
        ("HEALTHCHECK CURL x", "unknown type `CURL`"),
        ("HEALTHCHECK --interval=3 CMD x", "invalid duration `3`"),
        ("RUN --network=mine x", "invalid network mode `mine`"),
        ("RUN --mount=type=odd,target=/x y", "unsupported mount type `odd`"),
        ("RUN --mount=type=bind y", "a target is required"),
        ("RUN --mount=target=/x,what=1 y", "unexpected key `what`"),
        ("RUN --security=odd x", "security `odd` is not valid"),
    ],
)
def test_a_fault_is_named_with_its_line(line: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        second(line)
    assert message in caught.value.message
    assert "line 2" in caught.value.message


def plan_of(text: str, target: str = "", **arguments: str) -> tuple[int, ...]:
    return make_plan(parse_dockerfile(text)[1], arguments, target=target).order


STAGES = """\
ARG FROM_WHAT=base
FROM x AS base
FROM base AS one
FROM x AS two
COPY --from=one a b
FROM y AS unused
FROM ${FROM_WHAT} AS Last
RUN --mount=from=two,target=/x ls
COPY --from=0 a b
"""


def test_only_the_stages_that_the_target_needs_are_built() -> None:
    assert plan_of(STAGES) == (0, 1, 2, 4)
    assert plan_of(STAGES, "two") == (0, 1, 2)
    assert plan_of(STAGES, "BASE") == (0,)
    assert plan_of(STAGES, "3") == (3,)
    assert plan_of(STAGES, FROM_WHAT="unused") == (0, 1, 2, 3, 4)


def test_what_is_wrong_with_stages_is_told() -> None:
    with pytest.raises(NotFoundError, match="target stage `three` could not be found"):
        plan_of(STAGES, "three")
    with pytest.raises(DockerfileError, match="no build stage"):
        plan_of("RUN x")
    with pytest.raises(DockerfileError, match="should not be blank"):
        plan_of("FROM ${NOTHING}")


PIECES = [
    "FROM a", "RUN", "RUN x", "COPY", "<<E", "E", "\\", "\n", " ", "--from=", "--", '"', "'", "$", "${", "}", "a=b",
    "[", "]", '["x"]', "#", "# escape=`", "`", "ENV", "ARG", "ONBUILD", "HEALTHCHECK", "\t", "=", ",",
    "\x00", "é", "USER",
]  # fmt: skip


def test_any_text_is_read_or_refused_in_words() -> None:
    chance = random.Random(4)
    read = 0
    for _ in range(3000):
        text = "FROM a\n" + "".join(chance.choice(PIECES) for _ in range(chance.randrange(12)))
        with suppress(LabboxError):
            parse_dockerfile(text)
            read += 1
    assert read > 100


def test_what_is_written_reads_as_itself() -> None:
    chance = random.Random(5)
    lines = ["RUN a b", "COPY --link a /b", "ENV A=b", 'CMD ["x"]', "USER u", "WORKDIR /x", "LABEL a=b"]
    for _ in range(200):
        text = "\n".join(["FROM a", *(chance.choice(lines) for _ in range(5))])
        once = [item.statement.written for item in parse_dockerfile(text)[1]]
        again = [item.statement.written for item in parse_dockerfile("\n".join(once))[1]]
        assert once == again
