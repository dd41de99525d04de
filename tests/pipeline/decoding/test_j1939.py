"""Parameter group numbers, and raw values that are no value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.pipeline.decoding import j1939

IDS = [
    (0x0CF00400, 61444, 0x00),  # EEC1
    (0x18FEF1FE, 65265, 0xFE),  # CCVS1
    (0x18EA55F9, 59904, 0xF9),  # request, to address 0x55
    (0x18ECFF00, 60416, 0x00),  # TP.CM, to all
    (0x0C000003, 0, 0x03),  # TSC1
    (0x19FEF100, 0x1FEF1, 0x00),  # data page 1
    (0x19EF55F9, 0x1EF00, 0xF9),  # proprietary A2
]


@pytest.mark.parametrize(("can_id", "pgn", "source"), IDS)
def test_known_ids(can_id: int, pgn: int, source: int) -> None:
    """Groups of SAE J1939-71 and -21."""
    assert j1939.pgn_of(can_id) == pgn
    assert j1939.source_of(can_id) == source


@given(st.integers(0, 0x3FFFF), st.integers(0, 7), st.integers(0, 255), st.integers(0, 255))
def test_priority_and_addresses_do_not_count(pgn: int, priority: int, source: int, destination: int) -> None:
    """PDU2 keeps its group extension; of PDU1 the destination goes."""
    pdu1 = (pgn >> 8 & 0xFF) < 240
    wanted = pgn & 0x3FF00 if pdu1 else pgn
    sent = wanted | destination if pdu1 else wanted
    assert j1939.pgn_of(priority << 26 | sent << 8 | source) == wanted


LIMITS = [(1, None), (2, 2), (3, 6), (4, 14), (7, 126), (8, 0xFE), (10, 1022), (12, 4094), (16, 0xFE00)]
LIMITS += [(24, 0xFE0000), (32, 0xFE000000)]


@pytest.mark.parametrize(("bits", "limit"), LIMITS)
def test_limits(bits: int, limit: int | None) -> None:
    """Whole bytes by their top byte, anything else by its last two codes, one bit not at all."""
    assert j1939.value_limit(bits) == limit


NOTHING = ["Not available", "NotAvailable", "not_avail", "Error", "Error condition", "Reserved", "SNA", "N/A", "n/a"]
NOTHING += ["Don't care", "Take no action"]


@pytest.mark.parametrize("name", NOTHING)
def test_names_of_no_value(name: str) -> None:
    """What databases call the last codes where they mean nothing."""
    assert not j1939.names_a_value(name)


@pytest.mark.parametrize("name", ["Other", "On", "Snap", "Manual", "Navigation", "Low idle governor", "National"])
def test_names_of_states(name: str) -> None:
    """Any other name is a state."""
    assert j1939.names_a_value(name)
