"""Counters, gauges, histograms, high-water marks and their Prometheus text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from duco_rt.seeing.metrics import HIGH_S, High, Histogram, Metrics, status_label
from duco_rt.seeing.metrics_known import DELAY_BOUNDS_S, Known

LINE = re.compile(r'duco_\w+(?:\{(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+\})? \S+')


def bare() -> Metrics:
    """A registry that nobody has declared anything for."""
    return Metrics({})


def test_counters_add_up_by_labels() -> None:
    """Each set of labels counts apart, in whatever order they are given; what never counted is 0."""
    metrics = Metrics()
    metrics.count("a_total", kind="x", role="y")
    metrics.count("a_total", 2, role="y", kind="x")
    metrics.count("a_total", kind="z", role="y")
    assert metrics.value("a_total", kind="x", role="y") == 3
    assert metrics.value("a_total", role="y", kind="z") == 1
    assert metrics.total("a_total") == 4
    assert metrics.value("a_total") == metrics.value("b_total", kind="x") == 0


def test_gauges_are_read_when_asked() -> None:
    """The value of now, not that of the registration."""
    metrics, depth = Metrics(), [1.0]
    metrics.gauge("depth", lambda: depth[0], topic="raw")
    depth[0] = 7
    assert metrics.value("depth", topic="raw") == 7
    assert 'duco_depth{topic="raw"} 7\n' in metrics.text()


def test_gauges_of_many_are_one_sum() -> None:
    """Machines are no labels: what each has is added up. Without `each` a later one takes the place."""
    metrics = Metrics()
    for value in (1.0, 2.0):
        metrics.gauge("spools", lambda value=value: value, each=True)  # type: ignore[misc]  # of now
    assert metrics.value("spools") == 3
    metrics.gauge("spools", lambda: 9)
    assert metrics.value("spools") == 9


def test_a_gauge_that_fails_hides_no_other() -> None:
    """It is left out, and counted."""
    metrics = Metrics()
    metrics.gauge("bad", lambda: 1 / 0)
    metrics.gauge("good", lambda: 1)
    text = metrics.text()
    assert "duco_good 1\n" in text and "duco_bad" not in text
    assert metrics.value("gauges_failed_total") == 1


def test_text_has_one_type_line_a_name() -> None:
    """All lines of a name together below its type, in order."""
    metrics = bare()
    metrics.gauge("b_depth", lambda: 2.5)
    metrics.count("c_total", kind="z")
    metrics.count("a_total")
    metrics.count("c_total", kind="y")
    assert metrics.text() == (
        "# TYPE duco_a_total counter\nduco_a_total 1\n"
        "# TYPE duco_b_depth gauge\nduco_b_depth 2.5\n"
        '# TYPE duco_c_total counter\nduco_c_total{kind="y"} 1\nduco_c_total{kind="z"} 1\n'
    )
    assert bare().text() == ""


def test_what_is_declared_is_there_before_it_counts() -> None:
    """With its help, for each value that its labels begin with; others come as they do."""
    known = {
        "a_total": Known("a_total", "counter", "Things", {"kind": ("x", "y")}),
        "process_open_fds": Known("process_open_fds", "gauge", "Files", {}),
        "process_cpu_seconds_total": Known("process_cpu_seconds_total", "counter", "Time", {}),
    }
    metrics = Metrics(known)
    metrics.gauge("process_open_fds", lambda: 3)
    metrics.gauge("process_cpu_seconds_total", lambda: 1.5)  # of others, read here
    metrics.count("a_total", kind="z")
    assert metrics.text() == (
        "# HELP duco_a_total Things\n# TYPE duco_a_total counter\n"
        'duco_a_total{kind="x"} 0\nduco_a_total{kind="y"} 0\nduco_a_total{kind="z"} 1\n'
        "# HELP process_cpu_seconds_total Time\n# TYPE process_cpu_seconds_total counter\n"
        "process_cpu_seconds_total 1.5\n"
        "# HELP process_open_fds Files\n# TYPE process_open_fds gauge\nprocess_open_fds 3\n"
    )


def test_histograms_are_cumulative() -> None:
    """A bucket has all that are not above its bound; the last one, +Inf, is the count."""
    metrics = bare()
    held = metrics.histogram("a_seconds", at="x")
    held.observe(0.001)  # on its bound
    held.observe(0.0011, 2)
    held.observe(1e9)
    held.observe(-5.0)  # a clock that was set back
    lines = metrics.text().splitlines()
    assert lines[0] == "# TYPE duco_a_seconds histogram"
    assert lines[1:4] == [
        f'duco_a_seconds_bucket{{at="x",le="{le}"}} {n}' for le, n in ((0.001, 2), (0.002, 4), (0.005, 4))
    ]
    assert lines[-3] == 'duco_a_seconds_bucket{at="x",le="+Inf"} 5'
    assert lines[-2:] == ['duco_a_seconds_sum{at="x"} 1000000000.0032', 'duco_a_seconds_count{at="x"} 5']
    assert metrics.value("a_seconds", at="x") == 5
    assert metrics.histogram("a_seconds", at="x") is held


@given(st.lists(st.floats(-1, 10_000)))
def test_any_observation_lands_in_its_bucket(values: list[float]) -> None:
    """As counted by hand."""
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    for n, bound in enumerate(DELAY_BOUNDS_S):
        assert sum(histogram.counts[: n + 1]) == sum(value <= bound for value in values)
    assert sum(histogram.counts) == len(values)


def test_a_high_water_mark_is_of_the_last_minutes() -> None:
    """What was seen between two looks counts; what is older than two periods does not, whoever scrapes how often."""
    metrics, depth = Metrics(), [0.0]
    high = metrics.depth("log_raw_depth", lambda: depth[0])
    metrics.tick(100.0)
    high.see(7)  # full for a moment
    for _ in range(3):
        assert metrics.value("log_raw_depth") == 0
        assert metrics.value("log_raw_depth_high") == 7
    metrics.tick(100.0 + HIGH_S)
    depth[0] = 2
    metrics.tick(101.0 + HIGH_S)
    assert metrics.value("log_raw_depth_high") == 7
    depth[0] = 1
    metrics.tick(100.0 + 2 * HIGH_S)
    assert metrics.value("log_raw_depth_high") == 2
    metrics.tick(100.0 + 3 * HIGH_S)
    assert metrics.value("log_raw_depth_high") == 1


def test_a_high_water_mark_is_never_below_the_depth() -> None:
    """Even before the first look."""
    metrics = Metrics()
    metrics.depth("log_raw_depth", lambda: 5)
    assert metrics.value("log_raw_depth_high") == 5
    assert High().value == 0


def test_labels_from_outside_have_few_values() -> None:
    """A machine that answers with whatever status makes no series of its own."""
    assert {status_label(status) for status in range(1000)} <= {*(str(s) for s in range(200, 600)), "other"}
    assert len({status_label(status) for status in range(-5, 100_000)}) < 20


@given(st.integers(0, 10**15 - 2))
def test_a_large_counter_shows_every_step(count: int) -> None:
    """A rate is made of differences: one more must be seen however much was counted before."""
    metrics = bare()
    metrics.count("a_total", count)
    before = float(metrics.text().split()[-1])
    metrics.count("a_total")
    assert float(metrics.text().split()[-1]) - before == 1


@given(st.text())
def test_any_label_stays_on_its_line(text: str) -> None:
    """Quotes, backslashes and line ends of a label are escaped."""
    metrics = bare()
    metrics.count("a_total", kind=text)
    lines = metrics.text().removesuffix("\n").split("\n")
    assert len(lines) == 2 and LINE.fullmatch(lines[1])
    shown = lines[1].partition('"')[2].rpartition('"')[0]
    back = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], shown, flags=re.DOTALL)
    assert back == text
