from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbox.cli.flags import Arguments, Command, CommandLineError, Flag, HelpWanted, parse
from labbox.errors import UsageError

RUN = Command(
    "run",
    "IMAGE [COMMAND] [ARG...]",
    "Create and run",
    flags=(
        Flag("detach", "", "", short="d"),
        Flag("interactive", "", "", short="i"),
        Flag("tty", "", "", short="t"),
        Flag("rm", "", ""),
        Flag("init", "", "", default="true"),
        Flag("publish", "list", "", short="p"),
        Flag("memory", "bytes", "", short="m"),
        Flag("hostname", "string", "", short="h"),
        Flag("stop-timeout", "int", ""),
    ),
    minimum=1,
    options_end_at_positional=True,
)
PS = Command(
    "ps", "", "List containers", flags=(Flag("all", "", "", short="a"), Flag("last", "int", "", short="n")), maximum=0
)
RENAME = Command("rename", "CONTAINER NEW_NAME", "Rename a container", minimum=2, maximum=2)
CP = Command("images", "[NAME]", "List images", flags=(Flag("all", "", "", short="a"),), maximum=1)


def fail(command: Command, *arguments: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse(command, arguments)
    return caught.value


@pytest.mark.parametrize(
    ("line", "name", "values"),
    [
        ("--memory 8g x", "memory", ["8g"]),
        ("--memory=8g x", "memory", ["8g"]),
        ("--memory= x", "memory", [""]),
        ("-m 8g x", "memory", ["8g"]),
        ("-m8g x", "memory", ["8g"]),
        ("-m=8g x", "memory", ["8g"]),
        ("-p80:80 -p 81:81 --publish=82:82 x", "publish", ["80:80", "81:81", "82:82"]),
        ("-itp80:80 x", "publish", ["80:80"]),
        ("-itd x", "tty", ["true"]),
        ("-d=false x", "detach", ["false"]),
        ("--rm=F x", "rm", ["false"]),
        ("--rm x", "rm", ["true"]),
        ("--stop-timeout 0x10 x", "stop-timeout", ["16"]),
        ("--stop-timeout=-1 x", "stop-timeout", ["-1"]),
        ("--memory -- x", "memory", ["--"]),
        ("-h me x", "hostname", ["me"]),
    ],
)
def test_a_flag_takes_its_value_in_every_spelling_of_pflag(line: str, name: str, values: list[str]) -> None:
    assert parse(RUN, line.split()).given[name] == values


@pytest.mark.parametrize(
    ("line", "positionals"),
    [
        ("x", ("x",)),
        ("x -it --rm", ("x", "-it", "--rm")),
        ("-d x -d", ("x", "-d")),
        ("-- -x", ("-x",)),
        ("x -- y", ("x", "--", "y")),
        ("- a", ("-", "a")),
    ],
)
def test_the_flags_of_run_end_at_the_image(line: str, positionals: tuple[str, ...]) -> None:
    assert parse(RUN, line.split()).positionals == positionals


def test_flags_of_other_commands_may_follow_positionals() -> None:
    parsed = parse(CP, ["name", "-a"])
    assert parsed.positionals == ("name",)
    assert parsed.switch("all")


def test_a_switch_has_the_default_of_its_table() -> None:
    parsed = parse(RUN, ["x"])
    assert parsed.switch("init")
    assert not parsed.switch("rm")
    assert not parse(RUN, ["--init=false", "x"]).switch("init")


@pytest.mark.parametrize(
    ("command", "line", "message", "code"),
    [
        (RUN, "", "'labbox run' requires at least 1 argument", 1),
        (PS, "extra", "'labbox ps' accepts no arguments", 1),
        (RENAME, "a", "'labbox rename' requires 2 arguments", 1),
        (CP, "a b", "'labbox images' requires at most 1 argument", 1),
        (RUN, "--foo x", "unknown flag: --foo", 125),
        (RUN, "-z", "unknown shorthand flag: 'z' in -z", 125),
        (RUN, "-itz x", "unknown shorthand flag: 'z' in -itz", 125),
        (RUN, "--memory", "flag needs an argument: --memory", 125),
        (RUN, "-m", "flag needs an argument: 'm' in -m", 125),
        (RUN, "---x", "bad flag syntax: ---x", 125),
        (RUN, "--=x", "bad flag syntax: --=x", 125),
        (
            RUN,
            "--rm=maybe x",
            'invalid argument "maybe" for "--rm" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
            125,
        ),
        (PS, "-n x", 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax', 125),
        (
            PS,
            "-n 9223372036854775808",
            (
                'invalid argument "9223372036854775808" for "-n, --last" flag: '
                'strconv.ParseInt: parsing "9223372036854775808": value out of range'
            ),
            125,
        ),
    ],
)
def test_a_bad_command_line_gets_dockers_message_and_exit_code(
    command: Command, line: str, message: str, code: int
) -> None:
    error = fail(command, *line.split())
    assert error.message == message
    assert error.exit_code == code
    assert isinstance(error, CommandLineError)
    assert f"Usage:  labbox {command.name}" in error.usage


def test_an_unknown_flag_names_the_nearest_known_one() -> None:
    assert fail(RUN, "--memry", "1g", "x").hint == "did you mean --memory?"
    assert fail(RUN, "--mem", "1g", "x").hint == "did you mean --memory?"


def test_a_flag_that_only_docker_has_says_what_to_do_instead() -> None:
    error = fail(RUN, "--cpu-shares", "5", "x")
    assert error.message.startswith("labbox has no --cpu-shares")
    assert error.hint == "write --cpus N"
    assert error.exit_code == 125


@pytest.mark.parametrize("line", ["--help", "-d --help x", "--help extra words"])
def test_help_is_wanted_whatever_else_stands_there(line: str) -> None:
    with pytest.raises(HelpWanted):
        parse(RUN, line.split())


def test_h_is_help_where_it_is_no_flag_of_the_command() -> None:
    with pytest.raises(HelpWanted):
        parse(PS, ["-h"])
    assert parse(RUN, ["-h", "name", "x"]).text("hostname") == "name"


def test_a_conversion_that_fails_names_the_flag_and_keeps_its_hint() -> None:
    def refuse(text: str) -> Any:
        raise UsageError(f"no {text}", hint="think")

    parsed = parse(RUN, ["-m", "8q", "x"])
    with pytest.raises(CommandLineError) as caught:
        parsed.value("memory", refuse)
    assert caught.value.message == 'invalid argument "8q" for "-m, --memory" flag: no 8q'
    assert caught.value.hint == "think"


@given(st.lists(st.text(max_size=8), max_size=6))
def test_any_words_after_the_two_dashes_arrive_unchanged(words: list[str]) -> None:
    assert parse(RUN, ["-d", "--", "image", *words]).positionals == ("image", *words)


@given(st.lists(st.text(max_size=6) | st.sampled_from(["-d", "-p", "--rm", "--", "-m8g", "--publish"]), max_size=8))
def test_any_command_line_is_read_or_refused(words: list[str]) -> None:
    try:
        parsed = parse(RUN, words)
    except (UsageError, HelpWanted):
        return
    assert isinstance(parsed, Arguments)
    assert sum(map(len, parsed.given.values())) + len(parsed.positionals) <= sum(len(word) + 1 for word in words)
