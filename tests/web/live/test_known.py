"""The last value of every field."""

from __future__ import annotations

import msgspec

from duco_rt.web.live import known
from duco_rt.web.live.field_lists import field_list
from duco_rt.web.live.known import LastValues
from duco_rt.web.live.recent import Recent
from duco_rt.web.live.samples import Sample


def test_each_with_its_own_time() -> None:
    """A value stays until the next; null is none."""
    last = LastValues()
    last.note(Sample({"a": msgspec.Raw(b"1"), "b": msgspec.Raw(b'"on"')}, 1000, 1))
    last.note(Sample({"a": msgspec.Raw(b"null"), "b": msgspec.Raw(b'"off"')}, 2000, 2))
    recent = Recent(10.0, 100)
    newest = recent.add(2, 2000, b"", 2500, 0.0)
    found = last.of(field_list(["a", "b", "c"]), newest)
    assert found == ({"a": (b"1", 1000), "b": (b'"off"', 2000)}, 2000, 2, 2500)
    assert last.of(field_list(["c"]), None) == ({}, None, None, None)
    assert set(last.names) == {"a", "b"}


def test_names_are_bounded() -> None:
    """A publisher that goes on inventing names costs no more."""
    last = LastValues()
    last.note(Sample({str(at): msgspec.Raw(b"1") for at in range(known._NAMES_MAX + 10)}, 0, 1))
    assert len(last.names) == known._NAMES_MAX
    last.note(Sample({"0": msgspec.Raw(b"2")}, 1, 2))
    assert last.of(field_list(["0"]), None).values == {"0": (b"2", 1)}
