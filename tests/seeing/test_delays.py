"""How late a machine's seconds are: by its clock, and by ours."""

from __future__ import annotations

from duco_rt.seeing.delays import FRESH_MS, Arrivals, Delays, StoreLag
from duco_rt.seeing.metrics import Metrics

TS = 1_700_000_000_000


def test_a_second_counts_from_its_end_and_from_its_arrival() -> None:
    """The second began at TS, so that it ended 1 s later."""
    metrics = Metrics()
    Delays(metrics, "live").note(TS, TS + 1_050, TS + 1_070)
    assert metrics.histogram("second_delay_seconds", at="live").sum == 0.07
    assert metrics.histogram("arrival_delay_seconds", at="live").sum == 0.02


def test_a_wrong_clock_counts_by_ours_alone() -> None:
    """A machine an hour ahead or behind does not hide how late the others are."""
    metrics = Metrics()
    delays, arrivals = Delays(metrics, "live"), Arrivals(metrics)
    for off_ms in (-3_600_000, 3_600_000):
        delays.note(TS + off_ms, TS + 1_000, TS + 1_010)
        arrivals.note(TS + off_ms, TS + 1_000)
    arrivals.note(TS + 5_000, TS + 1_000)
    arrivals.note(TS, TS + 990)  # a clock that is as good as any
    assert metrics.value("second_delay_seconds", at="live") == 0
    assert metrics.value("arrival_delay_seconds", at="live") == 2
    assert metrics.value("ingest_clock_off_total", clock="ahead") == 2
    assert metrics.value("ingest_clock_off_total", clock="behind") == 1
    assert metrics.value("second_delay_seconds", at="ingest") == 1


def test_the_seconds_of_a_batch_are_not_late() -> None:
    """They wait for their batch by design: only from their arrival on do they tell how fast we are."""
    metrics = Metrics()
    Delays(metrics, "raw").note(TS, TS + 5_000, TS + 5_100, realtime=False)
    Delays(metrics, "parsed", FRESH_MS).note(TS, TS + 5_000, TS + 5_100)
    for at in ("raw", "parsed"):
        assert metrics.value("second_delay_seconds", at=at) == 0
        assert metrics.value("arrival_delay_seconds", at=at) == 1


def test_the_lag_grows_while_a_batch_cannot_be_stored() -> None:
    """It is that of the last batch after that, and nothing when nothing comes any more."""
    lag = StoreLag()
    assert lag.lag_s(TS) == 0
    lag.begin(TS)
    assert (lag.lag_s(TS + 500), lag.lag_s(TS + 90_000)) == (0.5, 90.0)
    lag.end(TS + 90_000)
    assert lag.lag_s(TS + 91_000) == 90.0
    lag.begin(TS + 91_000)
    lag.end(TS + 91_200)
    assert lag.lag_s(TS + 92_000) == 0.2
    assert lag.lag_s(TS + 152_000) == 0.0
