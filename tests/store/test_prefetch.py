import threading

import pytest

from labbox.errors import ArchiveError
from labbox.store.prefetch import PrefetchedReader


def test_chunks_come_in_order_and_the_end_stays_the_end() -> None:
    chunks = iter([b"one ", b"two ", b"three", b""])
    with PrefetchedReader(lambda: next(chunks)) as reader:
        assert reader.read(2) == b"on"
        assert reader.readall() == b"e two three"
        assert reader.read(1) == b""


def test_an_error_reaches_the_reader_after_the_chunks_before_it() -> None:
    def produce() -> bytes:
        if not given:
            given.append(True)
            return b"good"
        raise ArchiveError("damaged")

    given: list[bool] = []
    with PrefetchedReader(produce) as reader:
        assert reader.read(10) == b"good"
        with pytest.raises(ArchiveError, match="damaged"):
            reader.read(10)


def test_a_reader_that_stops_early_stops_the_thread() -> None:
    before = threading.active_count()
    with PrefetchedReader(lambda: bytes(1000)) as reader:
        reader.read(10)
    assert threading.active_count() == before
