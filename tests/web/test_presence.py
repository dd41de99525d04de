"""Online and real time follow from the last arrival."""

from __future__ import annotations

import pytest

from duco_rt.model import LastSeen
from duco_rt.web.presence import Presence

NOW_MS = 1_700_000_000_000

# upload interval, age of the last arrival in s (None: never), in real time → online, realtime
TABLE = [
    (10, None, False, False, False),
    (10, 0, False, True, False),
    (10, 30, False, True, False),
    (10, 30.1, False, False, False),
    (10, 1, True, True, True),
    (10, 10, True, True, True),
    (10, 11, True, True, False),
    (10, 31, True, False, False),
    (60, 179, False, True, False),
    (60, 181, False, False, False),
    (1, 29, False, True, False),
    (10, -5, True, True, True),
]


@pytest.mark.parametrize(("interval_s", "age_s", "last_realtime", "online", "realtime"), TABLE)
def test_state(interval_s: int, age_s: float | None, last_realtime: bool, online: bool, realtime: bool) -> None:
    """Where the hub cannot tell: three upload intervals, 30 s at least; the device's own clock does not matter."""
    received_ms = None if age_s is None else NOW_MS - round(age_s * 1000)
    last = None if received_ms is None else LastSeen(123, received_ms, 1, last_realtime, received_ms)
    state = Presence(interval_s).state(None, last, NOW_MS)
    assert state == {"online": online, "realtime": realtime, "lastSeen": received_ms}


@pytest.mark.parametrize("connected", [True, False])
def test_the_hubs_word_counts(connected: bool) -> None:
    """A device that has just left is offline at once, one that has just come is online before it sends."""
    presence = Presence(10)
    fresh = presence.state(connected, LastSeen(0, NOW_MS - 1000, 1, True, NOW_MS - 1000), NOW_MS)
    assert fresh == {"online": connected, "realtime": connected, "lastSeen": NOW_MS - 1000}
    assert presence.state(connected, None, NOW_MS) == {"online": connected, "realtime": False, "lastSeen": None}


def test_a_spool_that_drains_changes_nothing_of_real_time() -> None:
    """Old seconds arrive beside the live ones: the newest second tells the mode, anything that comes the presence."""
    last = LastSeen(NOW_MS - 21_000, NOW_MS - 20_000, 9, True, NOW_MS - 100)
    assert Presence(10).state(None, last, NOW_MS) == {"online": True, "realtime": False, "lastSeen": NOW_MS - 100}
    fresh = LastSeen(NOW_MS - 2000, NOW_MS - 1000, 9, True, NOW_MS - 100)
    assert Presence(10).state(None, fresh, NOW_MS)["realtime"] is True


def test_what_came_in_the_future_tells_nothing() -> None:
    """Our clock was wrong when it came."""
    last = LastSeen(0, NOW_MS + 3_600_000, 1, True, NOW_MS + 3_600_000)
    state = Presence(10).state(None, last, NOW_MS)
    assert (state["online"], state["realtime"]) == (False, False)
