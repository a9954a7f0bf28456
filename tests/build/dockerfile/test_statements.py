"""Lines, comments, directives, here-documents and flags: cases of the Dockerfile reference."""

import pytest

from labbox.build.dockerfile.failures import DockerfileError
from labbox.build.dockerfile.statements import Heredoc, Statement, parse_line, parse_statements


def read(text: str) -> list[tuple[str, str]]:
    return [(statement.name, statement.text) for statement in parse_statements(text).statements]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nRUN b", [("FROM", "a"), ("RUN", "b")]),
        ("From a\nrun b\neNv A b", [("FROM", "a"), ("RUN", "b"), ("ENV", "A b")]),
        ("\ufeffFROM a", [("FROM", "a")]),
        ("FROM a\r\nRUN b\r\n", [("FROM", "a"), ("RUN", "b")]),
        ("# c\n\n  # d\n  FROM a  \n", [("FROM", "a")]),
        ("FROM a\nRUN one \\\n  two", [("FROM", "a"), ("RUN", "one   two")]),
        ("FROM a\nRUN one \\  \ntwo", [("FROM", "a"), ("RUN", "one two")]),
        ("FROM a\nRUN one \\\n# comment\n\n  # more\ntwo", [("FROM", "a"), ("RUN", "one two")]),
        ("FROM a\nRUN echo \\\\\nRUN b", [("FROM", "a"), ("RUN", "echo \\\\"), ("RUN", "b")]),
        ("FROM a\nRUN echo # no comment", [("FROM", "a"), ("RUN", "echo # no comment")]),
        ("FROM a\nRUN a \\", [("FROM", "a"), ("RUN", "a")]),
        ("# escape=`\nFROM a\nCOPY x c:\\\nRUN a `\n b", [("FROM", "a"), ("COPY", "x c:\\"), ("RUN", "a  b")]),
        ("# Escape = `\nFROM a `\n as b", [("FROM", "a  as b")]),
        ("#syntax=docker/dockerfile:1-labs\n#escape=`\nFROM a`\nb", [("FROM", "ab")]),
        ("# about\n# escape=`\nFROM a\\\nb", [("FROM", "ab")]),
        ("\n# escape=`\nFROM a\\\nb", [("FROM", "ab")]),
        ("# unknown=1\n# escape=`\nFROM a\\\nb", [("FROM", "ab")]),
        ("#!/usr/bin/env x\nFROM a", [("FROM", "a")]),
        ("FROM\ta", [("FROM", "a")]),
    ],
)
def test_lines_become_statements(text: str, expected: list[tuple[str, str]]) -> None:
    assert read(text) == expected


def test_a_statement_knows_its_lines() -> None:
    parsed = parse_statements("# x\n\nFROM a\nRUN one \\\n  two \\\n three\nRUN <<E\n1\nE\nUSER u")

    assert [(item.line, item.last_line) for item in parsed.statements] == [(3, 3), (4, 6), (7, 9), (10, 10)]


@pytest.mark.parametrize(
    ("text", "heredocs"),
    [
        ("RUN <<EOF\na\n # b\nEOF", [Heredoc(name="EOF", content="a\n # b\n")]),
        ("RUN <<-EOF\n\ta\n\tEOF", [Heredoc(name="EOF", content="\ta\n", chomp=True)]),
        ("COPY <<'EOF' /x\n$a\nEOF", [Heredoc(name="EOF", content="$a\n", expand=False)]),
        ('COPY <<"one.txt" <<two /x/\n1\none.txt\n2\ntwo', [
            Heredoc(name="one.txt", content="1\n", expand=False), Heredoc(name="two", content="2\n"),
        ]),
        ("ONBUILD RUN <<E\nx\nE", [Heredoc(name="E", content="x\n")]),
        ("RUN cat <<E | grep x\nFROM y\nE", [Heredoc(name="E", content="FROM y\n")]),
        ("RUN echo $((1<<2))", []),
        ("RUN cat <<<word", []),
        ("ENV A=<<E", []),
        ('RUN ["a", "<<E"]', []),
    ],
)  # fmt: skip
def test_here_documents_belong_to_the_statement(text: str, heredocs: list[Heredoc]) -> None:
    assert list(parse_statements(f"FROM a\n{text}").statements[1].heredocs) == heredocs


def test_leading_tabs_are_dropped_only_when_asked() -> None:
    assert Heredoc(name="E", content="\t\ta\n\tb\n", chomp=True).text == "a\nb\n"
    assert Heredoc(name="E", content="\ta\n").text == "\ta\n"


@pytest.mark.parametrize(
    ("text", "flags", "rest"),
    [
        ("RUN --mount=target=/x --network=none ls --all", [("mount", "target=/x"), ("network", "none")], "ls --all"),
        ("COPY --link --from=a b c", [("link", None), ("from", "a")], "b c"),
        ('COPY --chown="a b" c d', [("chown", "a b")], "c d"),
        (r"COPY --chown=a\ b c d", [("chown", "a b")], "c d"),
        ("RUN -- --odd", [], "--odd"),
        ("RUN -x --y", [], "-x --y"),
    ],
)  # fmt: skip
def test_flags_stand_before_the_arguments(text: str, flags: list[tuple[str, str | None]], rest: str) -> None:
    statement = parse_line(text)

    assert (list(statement.flags), statement.text) == (flags, rest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no instructions"),
        ("# only\n", "no instructions"),
        ("# escape=x\nFROM a", "line 1: invalid ESCAPE `x`"),
        ("# escape=`\n# escape=`\nFROM a", "line 2: only one `escape`"),
        ("FROM a\nRUN <<EOF\nx", "line 2: unterminated heredoc: `EOF`"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_statements(text)
    assert message in caught.value.message


def test_a_statement_shows_itself_on_one_line() -> None:
    assert parse_line("copy  --link --from=a  b c").written == "COPY --link --from=a b c"
    assert isinstance(parse_line("RUN x"), Statement)
