"""Templates against what docker's client printed for the same template and the same values."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbox.cli.templates.evaluation import Template
from labbox.cli.templates.rendering import InspectTemplate, ListTemplate
from labbox.cli.templates.scanner import TemplateError

DOCUMENT: dict[str, Any] = {
    "Id": "3549d16d87b8",
    "Name": "/web",
    "State": {"Status": "running", "Running": True, "Paused": False, "ExitCode": 0, "Pid": 8478},
    "Config": {
        "Cmd": ["sleep", "1000"],
        "Env": ["X=1"],
        "Labels": {"a": "1", "b": ""},
        "Tty": False,
        "Entrypoint": None,
        "Volumes": None,
    },
    "Mounts": [{"Source": "/data", "Destination": "/d"}, {"Source": "/tmp", "Destination": "/t"}],
    "HostConfig": {
        "Memory": 0,
        "PortBindings": {
            "80/tcp": [{"HostIp": "", "HostPort": "80"}],
            "8080/udp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        },
    },
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{.Id}}", "3549d16d87b8"),
        ("{{.State.Status}} {{.State.Pid}}", "running 8478"),
        ("{{.Config.Cmd}} {{.Config.Env}} {{.Config.Labels}}", "[sleep 1000] [X=1] map[a:1 b:]"),
        ("{{.State.Running}} {{.State.ExitCode}}", "true 0"),
        ('{{index .Config.Labels "a"}}', "1"),
        ('{{index .Config.Labels "nosuch"}}|', "|"),
        ("{{index .Config.Cmd 1}}", "1000"),
        ("{{index .Config.Labels}}", "map[a:1 b:]"),
        ("{{len .Mounts}}", "2"),
        ("{{range .Mounts}}{{.Source}}:{{.Destination}} {{end}}", "/data:/d /tmp:/t "),
        (
            "{{range $k,$v := .HostConfig.PortBindings}}{{$k}}={{(index $v 0).HostPort}} {{end}}",
            "80/tcp=80 8080/udp=8080 ",
        ),
        ("{{range $i, $e := .Config.Cmd}}{{if $i}},{{end}}{{$e}}{{end}}", "sleep,1000"),
        ("{{range .Config.Volumes}}x{{else}}none{{end}}", "none"),
        ('{{range .Config.Cmd}}{{if eq . "sleep"}}{{continue}}{{end}}{{.}}{{end}}', "1000"),
        ("{{range .Config.Cmd}}{{.}}{{break}}{{end}}", "sleep"),
        ("{{json .Config.Labels}}", '{"a":"1","b":""}'),
        (
            "{{json .HostConfig.PortBindings}}",
            '{"80/tcp":[{"HostIp":"","HostPort":"80"}],"8080/udp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}',
        ),
        (
            '{{join .Config.Cmd ","}} {{split "a:b" ":"}} {{title "ab"}} {{upper "ab"}} {{lower "AB"}} {{println "x"}}',
            "sleep,1000 [a b] Ab AB ab x\n",
        ),
        ('{{printf "%d %q %v" 3 "x" true}}', '3 "x" true'),
        ('{{.Name | printf "%-10s|"}}', "/web      |"),
        ('{{printf "%5.2f|%05d|%x|%%|%t" 1.5 42 255 true}}', " 1.50|00042|ff|%|true"),
        ('{{printf "%d" "x"}}', "%!d(string=x)"),
        ('{{printf "%s"}}', "%!s(MISSING)"),
        ('{{.HostConfig.Memory}}{{/* c */}} {{- " trim" -}}   x', "0 trimx"),
        ("{{if and .State.Running (not .State.Paused)}}y{{end}}", "y"),
        ("{{if or .State.Paused false}}z{{else if .State.Running}}w{{end}}", "w"),
        ("{{with .State}}{{.Status}}{{end}}", "running"),
        ("{{with .Config.Volumes}}x{{else}}no{{end}}", "no"),
        ('{{truncate "abcdef" 3}}{{pad "x" 2 3}}|', "abc  x   |"),
        ("{{eq 1 2}}{{ne 1 2}}{{lt 1 2}}{{gt 1 2}}{{le 1 1}}{{ge 1 2}}", "falsetruetruefalsetruefalse"),
        ('{{1.5}}{{"x\\ty"}}{{`raw\\t`}}{{true}} {{$x := 5}}{{$x}}', "1.5x\tyraw\\ttrue 5"),
        ('{{html "<a>"}} {{slice "abcdef" 1 3}} {{"a" | eq "a"}}', "&lt;a&gt; bc true"),
        ('{{if eq .State.Status "exited" "running"}}y{{end}}', "y"),
        ("{{$s := .State}}{{$s.Status}}{{$.Id}}", "running3549d16d87b8"),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("a\n{{- /* gone */ -}}\nb", "ab"),
        ('{{"\\u00e9"}}', "é"),
        ("{{.Config.Entrypoint}}", "<no value>"),
        ('{{print 1 2 "x" 3}}', "1 2x3"),
    ],
)
def test_a_template_prints_what_docker_prints(template: str, text: str) -> None:
    assert Template(template).render(DOCUMENT) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{.Name", "template: :1: unclosed action"),
        ("{{end}}", "template: :1: unexpected {{end}}"),
        ("{{range .Mounts}}", "template: :1: unexpected EOF"),
        ("{{foo}}", 'template: :1: function "foo" not defined'),
        ("a\n{{foo}}", 'template: :2: function "foo" not defined'),
        ("{{}}", "template: :1: missing value for command"),
        ("{{if}}x{{end}}", "template: :1: missing value for if"),
        ('{{"x}}', "template: :1: unterminated quoted string"),
        ("{{$x}}", 'template: :1: undefined variable "$x"'),
        ("{{/* x}}", "template: :1: unclosed comment"),
        ("{{else}}", "template: :1: unexpected {{else}}"),
        ("{{.A | 5}}", "template: :1: non executable command in pipeline stage 2"),
        ('{{define "x"}}{{end}}', "template: :1: {{define}} is not supported"),
    ],
)
def test_a_template_that_cannot_be_read_says_so_in_gos_words(template: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template(template)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "{{.State.Status}} {{.State.Foo}}",
            'template: :1:26: executing "" at <.State.Foo>: map has no entry for key "Foo"',
        ),
        (
            "{{index .Config.Labels 5}}",
            (
                'template: :1:2: executing "" at <index .Config.Labels 5>: '
                "error calling index: value has type int; should be string"
            ),
        ),
        (
            "{{index .Config.Cmd 9}}",
            'template: :1:2: executing "" at <index .Config.Cmd 9>: error calling index: index out of range: 9',
        ),
        ("{{.Id.Foo}}", 'template: :1:5: executing "" at <.Id.Foo>: can\'t evaluate field Foo in type interface {}'),
        ("{{nil}}", 'template: :1:2: executing "" at <nil>: nil is not a command'),
        ("{{upper}}", 'template: :1:2: executing "" at <upper>: wrong number of args for upper: got 0'),
        (
            "{{upper 5}}",
            (
                'template: :1:2: executing "" at <upper 5>: '
                "error calling upper: wrong type for value; expected string; got int"
            ),
        ),
        (
            '{{eq 1 "a"}}',
            'template: :1:2: executing "" at <eq 1 "a">: error calling eq: incompatible types for comparison',
        ),
        ("{{range 1.5}}{{end}}", 'template: :1:8: executing "" at <1.5>: range can\'t iterate over 1.5'),
    ],
)
def test_a_template_that_fails_names_the_place_as_go_does(template: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template(template).render(DOCUMENT)
    assert caught.value.message == message


def test_inspect_ends_with_64_for_a_template_that_cannot_be_read_and_with_1_for_one_that_fails() -> None:
    with pytest.raises(TemplateError) as unread:
        InspectTemplate("{{.Name")
    assert unread.value.message == "template parsing error: template: :1: unclosed action"
    assert unread.value.exit_code == 64
    with pytest.raises(TemplateError) as failed:
        InspectTemplate("{{.Nosuch}}").render(DOCUMENT)
    assert failed.value.exit_code == 1


def test_listings_use_dockers_other_words() -> None:
    with pytest.raises(TemplateError, match=r"failed to parse template: template: :1: unclosed action"):
        ListTemplate("{{.Names")
    with pytest.raises(TemplateError, match="failed to execute template: "):
        ListTemplate("{{.Nosuch}}").render(DOCUMENT)


@given(st.text("{}.$|()-\"`'/* \nabcifrangeend=:,0159", max_size=40))
def test_any_text_is_a_template_or_refused(source: str) -> None:
    with contextlib.suppress(TemplateError):
        Template(source).render(DOCUMENT)


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_is_printed_as_it_is(text: str) -> None:
    assert Template(text).render({}) == text
