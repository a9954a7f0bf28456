"""Words with quotes, escapes and variables: cases of the Dockerfile reference and of BuildKit's lexer."""

import random

import pytest

from labbox.errors import UsageError
from labbox.oci.shell_words import expand_document, expand_word, split_words

VARIABLES = {"A": "value", "E": "", "P": "foobarbaz", "F": "a/b/c.tar.gz", "W": "two words"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A ${A}x $Ax", "value valuex "),
        (r"\$A \\ \x", r"$A \ x"),
        ("'$A' \"$A\" '\"'", '$A value "'),
        (r'"\$A \" \\ \x"', r'$A " \ \x'),
        ("$ $$ a$", "$  a$"),
        ("${N:-d} ${E:-d} ${E-d} ${A-d} ${N-d}", "d d  value d"),
        ("${A:+s} ${E:+s} ${E+s} ${N+s}", "s  s "),
        ("${N:-${A}x} ${N:-'q p'}", "valuex q p"),
        ("${A?gone} ${A:?gone}", "value value"),
        ("${P#f*b} ${P##f*b} ${P%b*z} ${P%%b*z} ${P#x}", "arbaz az foobar foo foobarbaz"),
        ("${F##*/} ${F%%.*} ${F%.*} ${F#*/}", "c.tar.gz a/b/c a/b/c.tar b/c.tar.gz"),
        ("${P/ba/X} ${P//ba/X} ${P//b?/} ${N/x/y}", "fooXrbaz fooXrXz foorz "),
        (r"${P#\*} ${P%\z}", "foobarbaz foobarba"),
        ("$1 ${1}x $@", " x "),
        ("a\\", "a"),
    ],
)
def test_variables_are_replaced(text: str, expected: str) -> None:
    assert expand_word(text, VARIABLES) == expected


def test_words_are_separated_outside_of_quotes_only() -> None:
    assert split_words(r"""a "b c" d'e f' g\ h $W""", VARIABLES) == ["a", "b c", "de f", "g h", "two words"]


def test_another_escape_leaves_backslashes_alone() -> None:
    assert expand_word(r"c:\dir`$A \$A", VARIABLES, escape="`") == r"c:\dir$A \value"


def test_quotes_are_letters_in_a_here_document() -> None:
    assert expand_document('it\'s "$A" \\$A\n', VARIABLES) == 'it\'s "value" $A\n'


@pytest.mark.parametrize(
    "text", ["'a", '"a', "${A", "${", "${}", "${:-x}", "${A:-x", "${A:#x}", "${A!x}", "${N?}", "${E:?no}", "${A/x}"]
)
def test_what_is_no_word_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        expand_word(text, VARIABLES)


def test_any_text_is_expanded_or_refused() -> None:
    chance = random.Random(7)
    for _ in range(5000):
        text = "".join(chance.choice("ab$${}{}:-+?#%/*\"'\\ A1") for _ in range(chance.randrange(14)))
        try:
            assert isinstance(expand_word(text, VARIABLES), str)
            split_words(text, VARIABLES)
        except UsageError:
            continue


def test_a_text_without_signs_is_itself() -> None:
    chance = random.Random(8)
    for _ in range(500):
        text = "".join(chance.choice("abc d.=/-_,[]()<>|&;*?é") for _ in range(chance.randrange(20)))
        assert expand_word(text, VARIABLES) == text
