"""Counters, gauges and their Prometheus text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from duco_rt.metrics import Metrics

LINE = re.compile(r'duco_\w+(?:\{(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+\})? \S+')


def test_counters_add_up_by_labels() -> None:
    """Each set of labels counts apart, in whatever order they are given; what never counted is 0."""
    metrics = Metrics()
    metrics.count("a_total", kind="x", role="y")
    metrics.count("a_total", 2, role="y", kind="x")
    metrics.count("a_total", kind="z", role="y")
    assert metrics.value("a_total", kind="x", role="y") == 3
    assert metrics.value("a_total", role="y", kind="z") == 1
    assert metrics.value("a_total") == metrics.value("b_total", kind="x") == 0


def test_gauges_are_read_when_asked() -> None:
    """The value of now, not that of the registration."""
    metrics, depth = Metrics(), [1.0]
    metrics.gauge("depth", lambda: depth[0], topic="raw")
    depth[0] = 7
    assert metrics.value("depth", topic="raw") == 7
    assert 'duco_depth{topic="raw"} 7\n' in metrics.text()


def test_text_has_one_type_line_a_name() -> None:
    """All lines of a name together below its type, in order."""
    metrics = Metrics()
    metrics.gauge("b_depth", lambda: 2.5)
    metrics.count("c_total", kind="z")
    metrics.count("a_total")
    metrics.count("c_total", kind="y")
    assert metrics.text() == (
        "# TYPE duco_a_total counter\nduco_a_total 1\n"
        "# TYPE duco_b_depth gauge\nduco_b_depth 2.5\n"
        '# TYPE duco_c_total counter\nduco_c_total{kind="y"} 1\nduco_c_total{kind="z"} 1\n'
    )
    assert Metrics().text() == ""


@given(st.integers(0, 10**15 - 2))
def test_a_large_counter_shows_every_step(count: int) -> None:
    """A rate is made of differences: one more must be seen however much was counted before."""
    metrics = Metrics()
    metrics.count("a_total", count)
    before = float(metrics.text().split()[-1])
    metrics.count("a_total")
    assert float(metrics.text().split()[-1]) - before == 1


@given(st.text())
def test_any_label_stays_on_its_line(text: str) -> None:
    """Quotes, backslashes and line ends of a label are escaped."""
    metrics = Metrics()
    metrics.count("a_total", kind=text)
    lines = metrics.text().removesuffix("\n").split("\n")
    assert len(lines) == 2 and LINE.fullmatch(lines[1])
    shown = lines[1].partition('"')[2].rpartition('"')[0]
    back = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], shown, flags=re.DOTALL)
    assert back == text
