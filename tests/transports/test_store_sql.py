"""The store's statements as text, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.model import Peer
from duco_rt.transports import store_sql

PEER = Peer("duco", "DUCO_001", "vehicle_can")
DAY = store_sql.DAY_MS


def test_quote() -> None:
    """All that is not plain is escaped."""
    assert store_sql.quote("speed_1 (km/h) %") == "'speed_1 (km/h) %'"
    assert store_sql.quote("a'b\\") == r"'a\x27b\x5C'"
    assert store_sql.quote("é\0\n\ud800") == r"'\xC3\xA9\x00\x0A\xED\xA0\x80'"


@given(st.text(st.characters()))
def test_quote_lets_nothing_out(value: str) -> None:
    """And the server reads back what went in."""
    inside = store_sql.quote(value)[1:-1]
    assert inside.isascii() and inside.isprintable() and "'" not in inside
    raw = inside.encode()
    parts = raw.split(b"\\x")
    back = parts[0] + b"".join(bytes([int(part[:2], 16)]) + part[2:] for part in parts[1:])
    assert back.decode("utf-8", "surrogatepass") == value


def test_statements_name_what_other_programs_rely_on() -> None:
    """Database and tables are part of the outside."""
    text = " ".join(store_sql.ddl())
    assert "duco.raw_data_cache_store (" in text
    assert "duco.ce_technology (" in text


def test_plain_statements_have_nothing_that_old_servers_lack() -> None:
    """Such as 18.16."""
    text = " ".join(store_sql.ddl(full=False))
    for word in ("CODEC", "LowCardinality", "DateTime64", "TTL", "old_parts_lifetime", "ALIAS", "concurrent"):
        assert word not in text


def test_columns_that_a_table_lacks_are_added() -> None:
    """Only those; the plain form has nothing that old servers lack."""
    assert store_sql.add_columns({}) == []
    lacking = {store_sql.RAW: ["parts"], store_sql.PARSED: ["value.count", "value.min"]}
    assert store_sql.add_columns(lacking, full=False, database="d") == [
        "ALTER TABLE d.raw_data_cache_store ADD COLUMN parts UInt16 DEFAULT 0",
        "ALTER TABLE d.ce_technology "
        "ADD COLUMN `value.min` Array(Float64) DEFAULT arrayMap(n -> toFloat64(nan), `value.name`), "
        "ADD COLUMN `value.count` Array(UInt32) DEFAULT arrayMap(n -> toUInt32(0), `value.name`)",
    ]
    [full] = store_sql.add_columns({store_sql.PARSED: ["value.max"]})
    assert "ADD COLUMN IF NOT EXISTS `value.max` Array(Float64) DEFAULT " in full and full.endswith(" CODEC(ZSTD(1))")


@pytest.mark.parametrize("full", [True, False])
def test_new_tables_have_what_others_are_given(full: bool) -> None:
    """Declared alike."""
    made = " ".join(store_sql.ddl(full))
    for statement in store_sql.add_columns(store_sql.ADDED, full):
        for column in statement.split("ADD COLUMN ")[1:]:
            assert column.removeprefix("IF NOT EXISTS ").removesuffix(", ") in made


def test_what_a_table_lacks() -> None:
    """And whether it is one of the full form."""
    raw, parsed, spans = b"raw_data_cache_store", b"ce_technology", ["value.min", "value.max", "value.count"]
    old = {"table": [raw, parsed], "name": [b"part", b"value.name"], "type": [b"UInt16", b"Array(LowCardinality(S))"]}
    assert store_sql.missing_columns(old) == ({store_sql.RAW: ["parts"], store_sql.PARSED: spans}, True)
    names = [b"parts", b"value.min", b"value.max", b"value.count"]
    now = {"table": [raw, *[parsed] * 3], "name": names, "type": [b"Array(String)"] * 4}
    assert store_sql.missing_columns(now) == ({}, False)
    now["table"][0] = parsed
    assert store_sql.missing_columns(now) == ({store_sql.RAW: ["parts"]}, False)


def test_spans_are_read_only_where_asked_for() -> None:
    """The query without them is as it was."""
    without = store_sql.select_history(PEER, ["a"], 1, 2)
    assert "value.min" not in without and "value.count" not in without
    assert "`value.min`, `value.name`) AS `min`" in store_sql.select_history(PEER, ["a"], 1, 2, stats=True)
    assert "`order`" not in store_sql.select_raw(PEER, 1, 2, store_sql.raw_columns(order=False))


def test_a_query_holds_names_as_literals_only() -> None:
    """And collapses copies where that is asked for."""
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
        ({10: 5, 11: 5, 12: 5}, 400 * DAY, 2, 100, [10]),  # time stands still where nothing comes
        ({}, 12 * DAY, 1, 0, []),
    ],
)
def test_days_to_drop(days: dict[int, int], now: int, keep: float, limit: float, dropped: list[int]) -> None:
    """Retention first, then the limit; today and later never."""
    assert store_sql.days_to_drop(days, now, keep, limit) == dropped
