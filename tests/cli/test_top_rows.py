"""From two scrapes and `/readyz` to what is shown."""

from __future__ import annotations

from duco_rt.cli.top_rows import SHARES, STAGES, WATCHED, Row, duration, number, size, view
from duco_rt.cli.top_scrape import Change, read_scrape
from duco_rt.seeing.metrics import Metrics
from duco_rt.seeing.metrics_known import KNOWN

READY: dict[str, object] = {"status": "ready", "transports": {"hub": "ok"}, "components": {"event loop": "ok"}}


def changed(metrics: Metrics, seconds: float = 10.0) -> Change:
    """From nothing to what it says now."""
    return Change(read_scrape(Metrics().text(), 0.0), read_scrape(metrics.text(), seconds))


def rows(metrics: Metrics) -> dict[str, Row]:
    """The stages by name."""
    return {row.stage: row for row in view(changed(metrics), READY).rows}


def test_every_number_is_of_a_metric_that_there_is() -> None:
    """With the labels that are asked for."""
    for stage in STAGES:
        names = [stage.counter, *stage.drops, *stage.depths, *(f"{depth}_high" for depth in stage.depths)]
        assert [name for name in names if name not in KNOWN] == []
        if stage.delay is not None:
            known = KNOWN[stage.delay[0]]
            assert known.kind == "histogram"
            assert all(value in known.labels[label] for label, value in stage.delay[1].items())
    assert [name for name, _ in WATCHED if name not in KNOWN] == []


def test_a_stage_has_rate_delay_queue_and_drops() -> None:
    """Of the time in between; queues and what was dropped are as of now."""
    metrics = Metrics()
    metrics.count("ingest_live_total", 25)
    metrics.histogram("arrival_delay_seconds", at="live").observe(0.004, 100)
    metrics.depth("hub_live_depth", lambda: 3).see(12)
    metrics.count("ingest_live_lost_total", 2)
    assert rows(metrics)["live"] == Row("live", "2.5", "samples", "3.5 ms", "5 ms", "3", "12", "2 +2", is_bad=True)
    assert rows(Metrics())["live"] == Row("live", "0", "samples", "–", "–", "", "", "0")


def test_drops_of_long_ago_are_not_red() -> None:
    """They are still told."""
    metrics = Metrics()
    metrics.count("device_dropped_total", 7)
    then = read_scrape(metrics.text(), 0.0)
    row = next(row for row in view(Change(then, then._replace(at_s=10.0)), READY).rows if row.stage == "device")
    assert (row.drops, row.is_bad) == ("7", False)


def test_what_grows_and_should_not_has_a_line() -> None:
    """With its labels, the most first."""
    metrics = Metrics()
    metrics.count("process_problems_total", 3, kind="no_parsing")
    metrics.count("process_problems_total", 9, kind="unread_body")
    metrics.count("component_restarts_total", component="ingest")
    growing = view(changed(metrics), READY).growing
    assert growing == ["1 parts begun again (ingest)", "12 bad input, kept raw (unread_body, no_parsing)"]
    assert view(changed(Metrics()), READY).growing == []


def test_what_does_not_work_is_told_in_its_words() -> None:
    """Of transports and of other parts; from a process that says nothing of itself, nothing."""
    states = {"transports": {"hub": "mqtt://x: refused", "log": "ok"}, "components": {"ingest": "failing"}}
    shown = view(changed(Metrics()), {"status": "not ready", **states})
    assert not shown.is_ready
    assert shown.states == {"hub": "mqtt://x: refused", "ingest": "failing"}
    assert view(changed(Metrics()), READY).is_ready
    assert view(changed(Metrics()), {"error": 3}).states == {}


def test_shares_are_of_what_happened_since_the_beginning() -> None:
    """The most first; what never happened is left out."""
    metrics = Metrics()
    metrics.count("web_requests_total", 3, area="studio", status="2xx")
    metrics.count("web_requests_total", 2, area="studio", status="4xx")
    metrics.count("web_requests_total", 9, area="page", status="2xx")
    details = dict(view(changed(metrics), READY).details)
    assert details == {"requests": "page 9, studio 5", "answers": "2xx 12, 4xx 2"}
    for _, name, label in SHARES:
        assert label in KNOWN[name].labels


def test_facts_are_of_what_the_process_has() -> None:
    """One with the role device alone has no viewers and no store."""
    metrics = Metrics()
    assert {name for name, _ in view(changed(metrics), READY).facts} == {"load"}
    metrics.gauge("live_viewers", lambda: 12_000)
    metrics.gauge("live_peers", lambda: 3)
    metrics.gauge("store_lag_seconds", lambda: 0.25, table="raw")
    metrics.gauge("build_info", lambda: 1, version="9.9", python="3.11")
    facts = dict(view(changed(metrics), READY).facts)
    assert facts["viewers"].startswith("12k of 3 streams")
    assert facts["store"] == "raw 0.25 s behind"
    assert facts["version"] == "9.9, Python 3.11"


def test_numbers_are_short() -> None:
    """Whatever they are."""
    assert [number(n) for n in (None, 0, 0.04, 9.95, 99, 1234, 9999, 12_345, 1.5e6, 2e12)] == [
        "–", "0", "0.0", "9.9", "99", "1234", "9999", "12.3k", "1.5M", "2e+03G",
    ]  # fmt: skip
    assert [duration(s) for s in (None, 0.0003, 0.0045, 0.05, 0.2, 1.25, 59, 599, 6000, float("inf"))] == [
        "–", "0.3 ms", "4.5 ms", "50 ms", "0.2 s", "1.2 s", "59 s", "599 s", "100 min", "over 1 h",
    ]  # fmt: skip
    assert (size(2.5e8), size(2.5e9)) == ("250 MB", "2.5 GB")
