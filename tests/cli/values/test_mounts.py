import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbox.cli.values.fields import split_fields
from labbox.cli.values.mounts import parse_mount
from labbox.cli.values.tmpfs import parse_tmpfs
from labbox.engine.notation.volumes import parse_volume
from labbox.engine.specification import Mount
from labbox.errors import UsageError


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/a:/b", Mount("bind", "/b", "/a")),
        ("/a:/b:ro", Mount("bind", "/b", "/a", read_only=True)),
        ("/a/../c:/b//d/", Mount("bind", "/b/d", "/c")),
        ("./rel:/b", Mount("bind", "/b", os.path.abspath("rel"))),
        (".:/b", Mount("bind", "/b", os.getcwd())),
        ("data:/d", Mount("volume", "/d", "data")),
        ("data:/d:ro,nocopy", Mount("volume", "/d", "data", read_only=True, no_copy=True)),
        ("/a:/b:rw,z,cached,rprivate", Mount("bind", "/b", "/a")),
        ("/a:/b:idmap", Mount("bind", "/b", "/a", idmapped=True)),
        ("/d", Mount("volume", "/d")),
    ],
)
def test_a_volume_is_read_as_docker_reads_it(text: str, mount: Mount) -> None:
    assert parse_volume(text) == mount


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid empty volume spec"),
        ("a:b:c:d", "invalid volume specification: 'a:b:c:d'"),
        ("/a:", "invalid spec: /a:: empty section between colons"),
        ("/a:b", "invalid volume specification: '/a:b': invalid mount path: 'b' mount path must be absolute"),
        ("/a:/b:zz", "invalid mode: zz"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
        ("/x:/", "invalid volume specification: '/x:/': invalid specification: destination can't be '/'"),
        ("/x:/..", "invalid volume specification: '/x:/..': invalid specification: destination can't be '/'"),
        (
            "$x:/b",
            (
                'create $x: "$x" includes invalid characters for a local volume name, only '
                '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed'
            ),
        ),
    ],
)
def test_a_bad_volume_is_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_volume(text)
    assert caught.value.message == message
    assert caught.value.exit_code == 125


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("type=bind,src=/a,dst=/b", Mount("bind", "/b", "/a")),
        ("type=bind,source=/a,target=/b,readonly", Mount("bind", "/b", "/a", read_only=True)),
        ("type=bind,source=/a,destination=/b,ro=false", Mount("bind", "/b", "/a")),
        ("type=bind,src=/a,dst=/b,bind-nonrecursive", Mount("bind", "/b", "/a", recursive=False)),
        ("src=data,dst=/b", Mount("volume", "/b", "data")),
        ("type=volume,dst=/b,volume-nocopy", Mount("volume", "/b", no_copy=True)),
        ("type=tmpfs,dst=/b,tmpfs-size=64m,tmpfs-mode=700", Mount("tmpfs", "/b", size_bytes=64 << 20, mode=0o700)),
        ('type=bind,"src=/a,b",dst=/b', Mount("bind", "/b", "/a,b")),
    ],
)
def test_a_mount_is_read_as_docker_reads_it(text: str, mount: Mount) -> None:
    assert parse_mount(text) == mount


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", "invalid field 'foo' must be a key=value pair"),
        ("type=bind", "target is required"),
        ("type=zz,dst=/x", 'invalid mount config for type "zz": mount type unknown'),
        (
            "type=tmpfs,dst=x",
            "invalid mount config for type \"tmpfs\": invalid mount path: 'x' mount path must be absolute",
        ),
        ("type=bind,src=/tmp,dst=/x,readonly=maybe", "invalid value for readonly: maybe"),
        ("type=bind,src=/tmp,dst=/x,foo=bar", "unexpected key 'foo' in 'foo=bar'"),
        ("type=tmpfs,src=/x,dst=/y", 'invalid mount config for type "tmpfs": field Source must not be specified'),
        ("type=volume,src=a,dst=/x,tmpfs-size=3", "cannot mix 'tmpfs-*' options with mount type 'volume'"),
        ("type=tmpfs,dst=/x,tmpfs-size=zz", "invalid value for tmpfs-size: zz"),
        ("type=tmpfs,dst=/x,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"),
        (
            "type=bind,src=rel,dst=/x",
            "invalid mount config for type \"bind\": invalid mount path: 'rel' mount path must be absolute",
        ),
        ("type=bind,dst=/x", 'invalid mount config for type "bind": field Source must not be empty'),
    ],
)
def test_a_bad_mount_is_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_mount(text)
    assert caught.value.message == message


def test_a_source_that_begins_with_a_dot_is_a_folder_from_here() -> None:
    assert parse_mount("type=bind,src=.,dst=/x").source == os.getcwd()
    assert parse_mount("type=bind,src=./a/../b,dst=/x").source == os.path.join(os.getcwd(), "b")


def test_a_tmpfs_is_read() -> None:
    expected = Mount("tmpfs", "/s", size_bytes=5 << 20, mode=0o755, options=("noexec", "uid=7"))
    assert parse_tmpfs("/s:size=5m,mode=755,noexec,uid=7") == expected
    assert parse_tmpfs("/s") == Mount("tmpfs", "/s")
    with pytest.raises(UsageError, match=r'invalid tmpfs option \["foo"\]'):
        parse_tmpfs("/x:foo")
    with pytest.raises(UsageError, match="mount path must be absolute"):
        parse_tmpfs("x")


@given(st.lists(st.text(max_size=6), min_size=1, max_size=5))
def test_quoted_fields_come_back_as_they_were(fields: list[str]) -> None:
    line = ",".join('"' + field.replace('"', '""') + '"' for field in fields)
    assert split_fields(line) == fields


@given(st.text('abc/:.,"=typebindsrcdst', max_size=40))
def test_any_text_is_a_mount_or_refused(text: str) -> None:
    for parse in (parse_volume, parse_mount, parse_tmpfs):
        try:
            mount = parse(text)
        except UsageError:
            continue
        assert mount.target.startswith("/")
        assert mount.target != "/"
