"""Rows to columns and back, without a server; the contract suite has the rest."""

from __future__ import annotations

from typing import Any

from duco_rt.model import History, Peer, RawSecond, Sample
from duco_rt.transports import store_rows
from duco_rt.transports.store_native import read_blocks

PEER = Peer("duco", "DUCO_001", "vehicle_can")


def test_raw_rows_are_split_into_blocks() -> None:
    """By their bytes, and never empty."""
    rows = [RawSecond(PEER, i, i, 0, i, False, "can1", data=bytes(10)) for i in range(5)]
    assert len(list(store_rows.raw_blocks(rows, 20))) == 3
    assert len(list(store_rows.raw_blocks(rows, 1))) == 5
    assert len(list(store_rows.raw_blocks(rows, 10**6))) == 1


def test_values_of_samples_are_arrays() -> None:
    """NaN is left out, text is kept where a float cannot hold the value."""
    mixed: dict[str, Any] = {"a": True, "n": float("nan"), "i": 2**60, "s": "x", "f": 1}
    samples = [Sample(PEER, i, i, i, payload) for i, payload in enumerate([{"a": 1.5, "b": 2.5}, {}, mixed])]
    blocks = list(store_rows.parsed_blocks(samples, 2))
    assert len(blocks) == 2
    columns = read_blocks(b"".join(blocks))
    assert columns["value.name.size"].tolist() == [2, 0, 4]
    assert columns["value.name"] == [b"a", b"b", b"a", b"i", b"s", b"f"]
    assert columns["value.kind"].tolist() == [1, 1, 4, 3, 5, 2]
    assert columns["value.num"].tolist() == [1.5, 2.5, 1.0, 0.0, 0.0, 1.0]
    assert columns["value.text"] == [b"", b"", b"", b"1152921504606846976", b"x", b""]
    assert columns["chassisId"] == [b"DUCO_001"] * 3


def test_answers_without_rows() -> None:
    """They have no columns at all."""
    assert store_rows.history({}, ["a"], 1, 2) == History(1, 2, [], [], {"a": []})
    assert store_rows.raw_rows(PEER, {}) == []
    assert store_rows.last_seen("duco", {}) == {}
    assert store_rows.partitions({}) == {}
    assert not store_rows.has_copies({})
