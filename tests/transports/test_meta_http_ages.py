"""Answers that are given in place of new ones."""

from __future__ import annotations

import pytest

from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.meta_http_ages import Ages


@pytest.fixture
def metrics() -> Metrics:
    """A registry."""
    return Metrics()


@pytest.fixture
def ages(metrics: Metrics) -> Ages:
    """Thirty seconds are too old."""
    return Ages(metrics, 30)


def test_an_answer_that_stays_old_is_seen(ages: Ages, metrics: Metrics) -> None:
    """The oldest is named, with why; counted, and good again with the next answer."""
    ages.answer("/devices", 0)
    ages.answer("/parsings/p", 10)
    for now_s in range(5, 36, 5):
        ages.fail("/devices", "too slow", now_s)
        ages.fail("/parsings/p", "too large", now_s)
        if now_s <= 30:
            ages.check(now_s)
    assert metrics.value("meta_stale_total") == 1
    with pytest.raises(TransportError, match=r"^last answer to GET /devices is 36 s old: too slow$"):
        ages.check(36)
    ages.answer("/devices", 37)
    ages.check(37)
    with pytest.raises(TransportError, match=r"^last answer to GET /parsings/p is 42 s old: too large$"):
        ages.check(52)


def test_what_nobody_asks_for_any_more_is_no_failure(ages: Ages) -> None:
    """A page that asked once, while MetaAPI was away."""
    ages.answer("/groups", 0)
    ages.fail("/groups", "away", 40)
    with pytest.raises(TransportError):
        ages.check(41)
    ages.check(101)
    ages.answer("/gone", 0)
    ages.fail("/gone", "away", 102)
    ages.forget("/gone")
    ages.check(103)


def test_it_is_logged_once_a_minute(ages: Ages, capsys: pytest.CaptureFixture[str]) -> None:
    """However often it is asked."""
    ages.answer("/devices", 0)
    for now_s in range(31, 31 + 119):
        ages.fail("/devices", "away", now_s)
    assert capsys.readouterr().out.count("MetaAPI gives no new answer") == 2
