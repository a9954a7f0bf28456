from hypothesis import given
from hypothesis import strategies as st

from labbox.actions.read_logs import LineAssembler, LogLine
from labbox.engine.embedded.logs import LogRecord


def test_lines_are_made_of_records_each_stream_by_itself() -> None:
    assembler = LineAssembler()
    records = [
        LogRecord(1, 1, b"on"),
        LogRecord(2, 2, b"err\n"),
        LogRecord(3, 1, b"e\ntwo\npa"),
        LogRecord(4, 1, b"rt"),
    ]
    assert list(assembler.feed(records)) == [LogLine(2, 2, b"err\n"), LogLine(1, 1, b"one\n"), LogLine(3, 1, b"two\n")]
    assert assembler.rest() == [LogLine(3, 1, b"part")]


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=6)), max_size=20))
def test_no_byte_is_lost_or_moved_within_its_stream(pieces: list[tuple[int, bytes]]) -> None:
    assembler = LineAssembler()
    records = [LogRecord(time, stream, data) for time, (stream, data) in enumerate(pieces)]
    lines = [*assembler.feed(records), *assembler.rest()]
    for stream in (1, 2):
        written = b"".join(data for number, data in pieces if number == stream)
        assert b"".join(line.data for line in lines if line.stream == stream) == written
    assert all(line.data.count(b"\n") <= 1 for line in lines)
