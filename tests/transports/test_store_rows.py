"""Rows to columns and back, without a server; the contract suite has the rest."""

from __future__ import annotations

from dataclasses import replace

from duco_rt.model import Peer, RawSecond
from duco_rt.transports import store_rows
from duco_rt.transports.store_native import read_blocks

PEER = Peer("duco", "DUCO_001", "vehicle_can")


def test_raw_rows_are_split_into_blocks() -> None:
    """By their bytes, and never empty."""
    rows = [RawSecond(PEER, i, i, 0, i, False, "can1", data=bytes(10)) for i in range(5)]
    assert len(list(store_rows.raw_blocks(rows, 20))) == 3
    assert len(list(store_rows.raw_blocks(rows, 1))) == 5
    assert len(list(store_rows.raw_blocks(rows, 10**6))) == 1


def test_rows_come_back_from_their_block() -> None:
    """A column that was not read is empty."""
    rows = [RawSecond(PEER, i, i, 1, i, True, "can1", b"s", b"o", b"t", b"d" * 200, parts=i) for i in range(3)]
    columns = read_blocks(b"".join(store_rows.raw_blocks(rows, 1)))
    assert store_rows.raw_rows(PEER, columns) == rows
    del columns["order"]
    assert store_rows.raw_rows(PEER, columns) == [replace(row, order=b"") for row in rows]


def test_answers_without_rows() -> None:
    """They have no columns at all."""
    assert store_rows.raw_rows(PEER, {}) == []
    assert store_rows.last_seen("duco", {}) == {}
    assert store_rows.partitions({}) == {}
