"""The log's records and the frames on a monitor's socket."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbox.engine.embedded import frames
from labbox.engine.embedded.attachment import DetachKeys, parse_detach_keys
from labbox.engine.embedded.logs import STDERR, STDOUT, LogReader, LogWriter
from labbox.errors import UsageError


def test_what_is_written_is_read_with_its_stream_and_order(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "log"))
    log.write(STDOUT, b"one\n")
    log.write(STDERR, b"\0two")
    assert [(record.stream, record.data) for record in LogReader(str(tmp_path / "log")).read_all()] == [
        (STDOUT, b"one\n"),
        (STDERR, b"\0two"),
    ]


def test_a_follower_loses_nothing_when_the_log_rotates(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    log, reader = LogWriter(path, largest_file=100), LogReader(path)
    seen = b""
    for number in range(40):
        log.write(STDOUT, b"%03d," % number)
        seen += b"".join(record.data for record in reader.read_new())
    assert seen == b"".join(b"%03d," % number for number in range(40))
    assert os.path.getsize(path) <= 100
    assert os.path.exists(f"{path}.1")


def test_a_record_cut_off_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    LogWriter(str(path)).write(STDOUT, b"whole")
    path.write_bytes(path.read_bytes() * 2)
    path.write_bytes(path.read_bytes()[:-2])
    assert [record.data for record in LogReader(str(path)).read_all()] == [b"whole"]


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40))), st.integers(1, 7))
def test_frames_are_the_same_however_the_bytes_are_cut(sent: list[tuple[int, bytes]], step: int) -> None:
    stream = b"".join(frames.pack(kind, payload) for kind, payload in sent)
    reader = frames.FrameReader()
    received = [frame for start in range(0, len(stream), step) for frame in reader.feed(stream[start : start + step])]
    assert received == sent


def test_a_frame_that_promises_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="frame of"):
        list(frames.FrameReader().feed(b"\1\xff\xff\xff\xff"))


@pytest.mark.parametrize(
    ("typed", "passed", "pressed"),
    [
        (b"abc", b"abc", False),
        (b"a\x10\x11", b"a", True),
        (b"\x10x", b"\x10x", False),
        (b"\x10\x10\x11", b"\x10", True),
        (b"ab\x10", b"ab", False),
    ],
)
def test_detach_keys_are_found_and_other_keys_pass(typed: bytes, passed: bytes, pressed: bool) -> None:  # noqa: FBT001
    keys = DetachKeys(b"\x10\x11")
    assert b"".join(keys.filter(bytes([byte])) for byte in typed) == passed
    assert keys.pressed is pressed


def test_detach_keys_are_written_as_docker_writes_them() -> None:
    assert parse_detach_keys("ctrl-p,ctrl-q") == b"\x10\x11"
    assert parse_detach_keys("a,ctrl-@") == b"a\0"
    with pytest.raises(UsageError, match="ctrl-pp"):
        parse_detach_keys("ctrl-pp")
