"""The live view on terminals of several sizes."""

from __future__ import annotations

import pytest
from rich.console import Console

from duco_rt.cli.top_rows import View, view
from duco_rt.cli.top_scrape import Change, read_scrape
from duco_rt.cli.top_screen import screen
from duco_rt.seeing.metrics import Metrics

TITLE = "http://127.0.0.1:8080/   12:00:00   q quits"


def lines(shown: View | str, width: int, height: int) -> list[str]:
    """What a terminal of that size would show."""
    console = Console(width=width, height=height, force_terminal=False, color_system=None)
    with console.capture() as captured:
        console.print(screen(TITLE, shown, height))
    return captured.get().splitlines()


def shown_of(metrics: Metrics, failing: int = 0) -> View:
    """A view of a process of which so many parts fail."""
    states = {f"device D{n}": f"restarting in {n} s: OSError: " + "no bus " * 40 for n in range(failing)}
    ready = {"status": "not ready" if failing else "ready", "components": states}
    return view(Change(read_scrape(Metrics().text(), 0.0), read_scrape(metrics.text(), 10.0)), ready)


def busy() -> Metrics:
    """Large numbers everywhere."""
    metrics = Metrics()
    metrics.gauge("live_viewers", lambda: 10_000)
    for name in ("device_seconds_total", "live_deliveries_total", "web_requests_total"):
        metrics.count(name, 123_456_789)
    for name in ("hub_stored_depth", "ingest_depth", "log_raw_depth", "live_queue_depth"):
        metrics.depth(name, lambda: 65_535)
    for at in ("ingest", "live", "raw", "parsed", "viewer"):
        metrics.histogram("arrival_delay_seconds", at=at).observe(0.0123, 5)
        metrics.histogram("second_delay_seconds", at=at).observe(123.0, 5)
    for name in ("device_dropped_total", "component_restarts_total", "live_failed_total", "retention_failed_total"):
        metrics.count(name, 99)
    return metrics


@pytest.mark.parametrize(("width", "height"), [(80, 24), (160, 50), (60, 15)])
def test_it_fits(width: int, height: int) -> None:
    """No line wraps, none is below the edge; every stage is there."""
    for metrics, failing in ((Metrics(), 0), (busy(), 0), (busy(), 2)):
        found = lines(shown_of(metrics, failing), width, height)
        assert len(found) <= height
        assert all(len(line) <= width for line in found)
        text = "\n".join(found)
        assert ("NOT READY" in text) == (failing > 0)
        assert all(stage in text for stage in ("device", "ingest", "live", "process", "distribute", "studio", "web"))


def test_what_is_wrong_comes_first() -> None:
    """Above the stages; of many parts the first ones."""
    found = lines(shown_of(busy(), 30), 160, 50)
    assert found[0].startswith(" NOT READY ")
    assert found[1].startswith("device D0") and "OSError: no bus" in found[1]
    assert "and 22 more" in found[9]
    assert any(line.startswith("lately") and "parts begun again" in line for line in found)


def test_what_others_said_steers_no_terminal() -> None:
    """Names of parts and labels of counters are text; so is an error."""
    metrics = Metrics()
    metrics.count("component_restarts_total", 3, component="\x1b[2J")
    ready = {"components": {"device \x1b]0;x\x07": "failing \x1b[31m"}}
    shown = view(Change(read_scrape("", 0.0), read_scrape(metrics.text(), 10.0)), ready)
    for found in (lines(shown, 160, 50), lines("\x1b[2J; asking again", 80, 24)):
        text = "\n".join(found)
        assert "\x1b" not in text and "\\x1b[2J" in text
    assert lines(shown, 160, 50)[1].startswith("device \\x1b]0;x\\x07")


def test_a_process_that_does_not_answer_is_told() -> None:
    """In its words."""
    assert any("refused; asking again" in line for line in lines("http://x: refused; asking again", 80, 24))
