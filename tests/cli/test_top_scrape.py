"""Prometheus text read back, and what follows from two of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.cli.top_scrape import Change, Scrape, read_scrape
from duco_rt.seeing.metrics import Metrics


def scrape(metrics: Metrics, at_s: float = 0.0) -> Scrape:
    """What it says now."""
    return read_scrape(metrics.text(), at_s)


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_what_is_written_is_read(label: str, value: float) -> None:
    """Any label, any number."""
    metrics = Metrics({})
    metrics.gauge("a", lambda: value, kind=label, other="x")
    [(labels, found)] = scrape(metrics).series("duco_a")
    assert labels == {"kind": label, "other": "x"}
    assert found == pytest.approx(value, rel=1e-14, abs=1e-300)


def test_lines_of_others_are_left_out() -> None:
    """Comments, exemplars and whatever is no number; a time stamp at the end is read over."""
    text = '# HELP a b\n# TYPE a counter\na_total{x="1"} 3 1700000000000\n\nnonsense\nb{ 1\nc NaN\nd e\n'
    found = read_scrape(text, 0.0)
    assert found.total("a_total", x="1") == 3
    assert math.isnan(found.total("c") or 0.0)
    assert set(found.families) == {"a_total", "c"}


def test_sums_and_highest_are_of_the_labels_that_are_asked_for() -> None:
    """Others are left out; None where there is none."""
    metrics = Metrics({})
    for kind, value in (("x", 1), ("y", 5)):
        metrics.count("a_total", value, kind=kind, of="z")
    found = scrape(metrics)
    assert (found.total("duco_a_total"), found.highest("duco_a_total")) == (6, 5)
    assert (found.total("duco_a_total", kind="x"), found.total("duco_a_total", kind="q")) == (1, None)
    assert found.total("duco_b") is None


def test_rates_of_counters() -> None:
    """A second; a process that was started again counts from 0; a label that is new counts whole."""
    metrics = Metrics({})
    metrics.count("a_total", 10, kind="x")
    before = scrape(metrics, 100.0)
    metrics.count("a_total", 5, kind="x")
    metrics.count("a_total", 1, kind="y")
    change = Change(before, scrape(metrics, 102.0))
    assert change.rate("duco_a_total") == 3.0
    assert change.increase("duco_a_total", kind="x") == 5
    assert change.rate("duco_b_total") is None
    again = Metrics({})
    again.count("a_total", 2, kind="x")
    assert Change(before, scrape(again, 104.0)).increase("duco_a_total") == 2
    assert Change(before, before).rate("duco_a_total") is None


def test_quantiles_are_of_what_came_in_between() -> None:
    """Estimated within the bucket, as Prometheus does."""
    metrics = Metrics({})
    held = metrics.histogram("a_seconds", at="x")
    held.observe(50.0, 1000)
    before = scrape(metrics)
    held.observe(0.15, 99)
    held.observe(0.7)
    change = Change(before, scrape(metrics, 1.0))
    assert change.quantile(0.5, "duco_a_seconds", at="x") == pytest.approx(0.1 + 0.1 * 50 / 99)
    assert change.quantile(0.99, "duco_a_seconds") == pytest.approx(0.2)
    assert change.quantile(0.999, "duco_a_seconds") == pytest.approx(0.5 + 0.5 * 0.9)
    assert Change(change.after, change.after).quantile(0.5, "duco_a_seconds") is None
    held.observe(1e6, 10_000)
    assert Change(before, scrape(metrics)).quantile(0.9, "duco_a_seconds") == math.inf


@given(st.lists(st.floats(0, 3600), min_size=1), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    """Whatever came."""
    metrics = Metrics({})
    before = scrape(metrics)
    held = metrics.histogram("a_seconds")
    for value in values:
        held.observe(value)
    found = Change(before, scrape(metrics)).quantile(share, "duco_a_seconds")
    true = sorted(values)[max(0, math.ceil(share * len(values) - 1e-9) - 1)]
    bounds = [0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600]
    upper = next(bound for bound in bounds[1:] if true <= bound)
    assert found is not None
    assert bounds[bounds.index(upper) - 1] <= found <= upper
