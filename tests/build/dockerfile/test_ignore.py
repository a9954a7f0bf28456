"""`.dockerignore`: cases of docker's own pages and of moby's pattern matcher."""

import pytest

from labbox.build.dockerfile.ignore import parse_ignore
from labbox.errors import UsageError


@pytest.mark.parametrize(
    ("rules", "ignored", "kept"),
    [
        ("a", ["a", "a/b", "a/b/c"], ["b", "b/a", "ab"]),
        ("/a/", ["a", "a/b"], ["b/a"]),
        ("./a/../b", ["b"], ["a"]),
        ("*/temp*", ["x/temp", "x/temporary.txt", "x/temp/y"], ["temp", "x/y/temp"]),
        ("*/*/temp*", ["x/y/temp"], ["x/temp"]),
        ("temp?", ["tempa", "temp1"], ["temp", "tempab", "temp/"]),
        ("**/*.go", ["a.go", "x/a.go", "x/y/a.go"], ["a.goo"]),
        ("**", ["a", "a/b"], []),
        ("a/**", ["a/b", "a/b/c"], ["b"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["z", "a/b"]),
        ("*.md\n!README.md", ["a.md"], ["README.md", "x/a.md"]),
        ("*.md\n!README*.md\nREADME-secret.md", ["a.md", "README-secret.md"], ["README.md", "README-b.md"]),
        ("*.md\nREADME-secret.md\n!README*.md", ["a.md"], ["README-secret.md"]),
        ("*\n!src", ["a", "b/c"], ["src", "src/x"]),
        ("# comment\n\n  a  \n", ["a"], ["# comment"]),
        ("[a-c]x\n[^a-c]y", ["ax", "dy"], ["dx", "ay"]),
        (r"a\*", ["a*"], ["ab"]),
        ("a.b+c(d)$", ["a.b+c(d)$"], ["aXb+c(d)$"]),
        ("", [], ["a"]),
    ],
)
def test_patterns(rules: str, ignored: list[str], kept: list[str]) -> None:
    parsed = parse_ignore(rules)

    assert [path for path in [*ignored, *kept] if parsed.ignores(path.rstrip("/"))] == ignored


def test_an_exclamation_mark_alone_is_refused() -> None:
    with pytest.raises(UsageError, match="illegal exclusion pattern"):
        parse_ignore("!")
