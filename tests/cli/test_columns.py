"""Tables of what others named."""

from __future__ import annotations

from duco_rt.cli.columns import columns


def test_columns_stand_below_each_other() -> None:
    """As wide as the widest; the last one has no end."""
    assert columns([("ID", "NAME"), ("D1", "Digger 1"), ("LOADER", "")]) == "ID      NAME\nD1      Digger 1\nLOADER"


def test_a_name_is_a_cell_and_nothing_else() -> None:
    """It begins no row, moves no cursor, turns no writing round."""
    table = columns([("ID", "NAME"), ("D1", "\x1b]0;x\x07\nD2\r\x9b2J\u202e")])
    assert table == "ID  NAME\nD1  \\x1b]0;x\\x07\\nD2\\r\\x9b2J\\u202e"
