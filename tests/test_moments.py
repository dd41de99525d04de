"""Points in time as people write them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import BadRequest
from duco_rt.moments import read_moment, show_moment

NOW_MS = 1_795_521_600_000  # 2026-11-24T12:00Z


@pytest.fixture(autouse=True)
def local_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine two hours before UTC."""
    monkeypatch.setenv("TZ", "XYZ-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


GOOD = {
    "1795521600000": NOW_MS,
    "0": 0,
    "now": NOW_MS,
    " now ": NOW_MS,
    "-90s": NOW_MS - 90_000,
    "-30m": NOW_MS - 1_800_000,
    "-2h": NOW_MS - 7_200_000,
    "-7d": NOW_MS - 604_800_000,
    "2026-11-24T12:00Z": NOW_MS,
    "2026-11-24T12:00+00:00": NOW_MS,
    "2026-11-24T12:00:00.250Z": NOW_MS + 250,
    "2026-11-24 12:00-05:00": NOW_MS + 5 * 3_600_000,
    "2026-11-24T12:00": NOW_MS - 7_200_000,
    "2026-11-24": NOW_MS - 14 * 3_600_000,
}


@pytest.mark.parametrize("text", GOOD)
def test_what_is_read(text: str) -> None:
    """Unix ms, relative, ISO with an offset, and local without one."""
    assert read_moment("from", text, NOW_MS) == GOOD[text]


BAD = ["", "yesterday", "-2", "-2w", "2h", "+2h", "-1h30m", "1.5", "-5", "nan", "2026-13-01", "12:00", "1" * 17]
BAD += ["9007199254740993", "-999999999d", "0001-01-01T00:00", "1969-12-31T00:00Z", "²", "now-2h"]


@pytest.mark.parametrize("text", BAD)
def test_what_is_refused(text: str) -> None:
    """Naming the parameter, the text, and what would do."""
    with pytest.raises(BadRequest, match="--from") as refused:
        read_moment("--from", text, NOW_MS)
    assert repr(text) in str(refused.value)
    assert "ISO" in str(refused.value)


@given(st.text("0123456789-+:TZW.now smhd²\0é", max_size=30))
def test_nothing_else_is_raised(text: str) -> None:
    """Any text is a moment or a BadRequest."""
    with suppress(BadRequest):
        assert 0 <= read_moment("from", text, NOW_MS) <= 2**53


@given(st.integers(0, 253_402_300_799))
def test_what_is_shown_is_read_again(seconds: int) -> None:
    """To the second, in UTC."""
    assert read_moment("from", show_moment(seconds * 1000), NOW_MS) == seconds * 1000
