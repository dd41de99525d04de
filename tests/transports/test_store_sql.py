"""The store's texts and bytes, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import TransportError
from duco_rt.model import Peer, RawSecond
from duco_rt.transports import store_native as native
from duco_rt.transports import store_rows, store_sql

PEER = Peer("duco", "DUCO_001", "vehicle_can")
DAY = store_sql.DAY_MS


def test_quote() -> None:
    assert store_sql.quote("speed_1 (km/h) %") == "'speed_1 (km/h) %'"
    assert store_sql.quote("a'b\\") == r"'a\x27b\x5C'"
    assert store_sql.quote("é\0\n\ud800") == r"'\xC3\xA9\x00\x0A\xED\xA0\x80'"


@given(st.text(st.characters()))
def test_quote_lets_nothing_out(value: str) -> None:
    inside = store_sql.quote(value)[1:-1]
    assert inside.isascii() and inside.isprintable() and "'" not in inside
    raw = inside.encode()
    parts = raw.split(b"\\x")
    back = parts[0] + b"".join(bytes([int(part[:2], 16)]) + part[2:] for part in parts[1:])
    assert back.decode("utf-8", "surrogatepass") == value


def test_statements_name_what_other_programs_rely_on() -> None:
    text = " ".join(store_sql.ddl())
    assert "duco.raw_data_cache_store (" in text
    assert "duco.ce_technology (" in text


def test_plain_statements_have_nothing_that_old_servers_lack() -> None:
    text = " ".join(store_sql.ddl(full=False))
    for word in ("CODEC", "LowCardinality", "DateTime64", "TTL", "old_parts_lifetime", "ALIAS"):
        assert word not in text


def test_a_query_holds_names_as_literals_only() -> None:
    text = store_sql.select_history(PEER, ["a') OR 1"], 1, 2)
    assert "') OR" not in text
    assert "ts >= 1 AND ts <= 2" in text
    assert "FINAL" not in text
    assert "FINAL" in store_sql.select_history(PEER, [], 1, 2, collapse=True)


@pytest.mark.parametrize(
    ("days", "now", "keep", "limit", "dropped"),
    [
        ({10: 5, 11: 5, 12: 5}, 12 * DAY, 100, 100, []),
        ({10: 5, 11: 5, 12: 5}, 12 * DAY + 1, 1, 100, [10]),  # day 11 ends within the last 24 h
        ({10: 5, 11: 5, 12: 5}, 12 * DAY, 1.5, 100, []),
        ({10: 5, 11: 5, 12: 5}, 13 * DAY - 1, 0.5, 100, [10, 11]),
        ({10: 5, 11: 5, 12: 5}, 12 * DAY, 100, 10, [10]),
        ({10: 5, 11: 5, 12: 5}, 12 * DAY, 100, 9, [10, 11]),
        ({10: 5, 11: 5, 12: 5}, 12 * DAY, 100, 0, [10, 11]),  # today stays
        ({11: 5, 12: 5, 40: 500}, 12 * DAY, 100, 0, [11]),  # a clock that was ahead is no reason either
        ({}, 12 * DAY, 1, 0, []),
    ],
)
def test_days_to_drop(days: dict[int, int], now: int, keep: float, limit: float, dropped: list[int]) -> None:
    assert store_sql.days_to_drop(days, now, keep, limit) == dropped


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_blocks_are_read_as_they_were_written(blobs: list[bytes], ints: list[int]) -> None:
    data = native.block(len(blobs), {"b": ("String", b"".join(map(native.blob, blobs)))})
    data += native.block(len(ints), {"b": ("String", bytes(len(ints)))})
    read = native.read_blocks(data)
    assert read["b"] == blobs + [b""] * len(ints)
    read = native.read_blocks(native.block(len(ints), {"i": ("Int64", native.numbers("Int64", ints))}) * 2)
    assert read["i"].tolist() == ints * 2


def test_arrays_are_flat_with_sizes() -> None:
    ends = native.numbers("UInt64", [2, 2, 3])
    data = native.block(3, {"a": ("Array(UInt16)", ends + native.numbers("UInt16", [7, 8, 9]))})
    read = native.read_blocks(data * 2)
    assert read["a"].tolist() == [7, 8, 9] * 2
    assert read["a.size"].tolist() == [2, 0, 1] * 2


def test_an_answer_that_is_cut_short_is_an_error() -> None:
    columns = {"i": ("Int64", native.numbers("Int64", [1])), "s": ("String", native.blob(b"abc"))}
    data = native.block(1, columns)
    for end in range(1, len(data)):
        with pytest.raises(TransportError):
            native.read_blocks(data[:end])
    with pytest.raises(TransportError):
        native.read_blocks(native.block(1, {"d": ("Date", b"\0\0")}))
    assert native.read_blocks(b"") == {}


def test_raw_rows_are_split_into_blocks() -> None:
    rows = [RawSecond(PEER, i, i, 0, i, False, "can1", data=bytes(10)) for i in range(5)]
    assert len(list(store_rows.raw_blocks(rows, 20))) == 3
    assert len(list(store_rows.raw_blocks(rows, 1))) == 5
    assert len(list(store_rows.raw_blocks(rows, 10**6))) == 1
