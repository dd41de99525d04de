"""Token buckets, with the time passed in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.web.access.rates import Rates


@pytest.mark.parametrize(("per_s", "at_once"), [(10.0, 20), (0.1, 1), (0.5, 1), (200.0, 400)])
def test_a_burst_then_the_rate(per_s: float, at_once: int) -> None:
    """Two seconds' worth at once, one at least; then one each `1 / per_s`, and it says when."""
    rates = Rates(per_s)
    assert [rates.allow("a", 100.0) for _ in range(at_once)] == [0.0] * at_once
    wait_s = rates.allow("a", 100.0)
    assert 0 < wait_s <= 1 / per_s + 1e-6
    assert rates.wait_s("a", 100.0) == wait_s  # nothing was taken by who was refused
    assert rates.allow("a", 100.0 + wait_s) == 0.0
    assert rates.allow("a", 100.0 + wait_s) == pytest.approx(1 / per_s)


def test_keys_do_not_share() -> None:
    """Who is over hurts nobody else."""
    rates = Rates(1.0)
    for _ in range(100):
        rates.take("a", 0.0)
    assert rates.wait_s("a", 0.0) > 90 and rates.allow("b", 0.0) == 0.0


def test_those_who_wait_come_in_order() -> None:
    """Taking in advance: each waits for the one before it; what costs more holds up longer."""
    rates = Rates(10.0, burst_s=0.1)
    assert [round(rates.take("a", 5.0), 6) for _ in range(4)] == [0.0, 0.1, 0.2, 0.3]
    rates.take("a", 5.0, cost=10)
    assert rates.wait_s("a", 5.0) == pytest.approx(1.4)


@pytest.mark.parametrize(("per_s", "longest_s"), [(10.0, 2.0), (0.1, 10.0)])
def test_a_debt_is_bounded(per_s: float, longest_s: float) -> None:
    """However much was taken in advance, nobody waits longer than that for it, or than for one."""
    rates = Rates(per_s, debt_s=2.0)
    for _ in range(1000):
        rates.take("a", 100.0)
    assert rates.wait_s("a", 100.0) == pytest.approx(longest_s)
    assert rates.wait_s("a", 100.0 + longest_s) == pytest.approx(0.0, abs=1e-6)


def test_rest() -> None:
    """Half of the burst there again ends a stretch."""
    rates = Rates(10.0)
    for _ in range(25):
        rates.take("a", 0.0)
    assert not rates.is_rested("a", 1.0) and rates.is_rested("a", 1.6) and rates.is_rested("b", 0.0)


def test_the_table_is_bounded() -> None:
    """The key that was not used for longest goes; one that is used again and again stays and stays over."""
    rates = Rates(1.0, keys_max=100)
    for number in range(10_000):
        rates.take("busy", 0.0)
        rates.take(number, 0.0)
    assert len(rates) == 100 and "busy" in rates and rates.wait_s("busy", 0.0) > 9_000
    rates.forget("busy")
    assert "busy" not in rates


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200), st.floats(0.2, 100), st.floats(0, 4))
def test_never_more_than_the_rate(pauses_s: list[float], per_s: float, burst_s: float) -> None:
    """In no stretch of time more than its length's worth and a burst, whoever asks how."""
    rates, now_s, done_s = Rates(per_s, burst_s), 0.0, []
    for pause_s in pauses_s:
        now_s += pause_s
        if not rates.allow("a", now_s):
            done_s.append(now_s)
    for at, begin_s in enumerate(done_s):
        for count, end_s in enumerate(done_s[at:], 1):
            assert count <= (end_s - begin_s) * per_s + max(burst_s * per_s, 1) + 1e-6
