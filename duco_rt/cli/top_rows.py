"""What the live view shows: a row a stage, and lines of what is wrong, from two scrapes and `/readyz`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from duco_rt.cli.top_scrape import Change, Scrape


class Stage(NamedTuple):
    """Where a stage's numbers come from: names without the prefix, each with its labels.

    `depth` has a high-water mark beside it; `drops` are counters of what was lost or left to the history.
    """

    name: str
    what: str
    counter: str
    delay: tuple[str, Mapping[str, str]] | None = None
    depths: Sequence[str] = ()
    drops: Sequence[str] = ()


STAGES: tuple[Stage, ...] = (
    Stage("device", "seconds", "device_seconds_total", ("device_send_seconds", {}), ("device_outbox_depth",),
          ("device_dropped_total",)),
    Stage("ingest", "messages", "ingest_messages_total", ("second_delay_seconds", {"at": "ingest"}),
          ("hub_stored_depth", "ingest_depth"), ("hub_bad_messages_total",)),
    Stage("live", "samples", "ingest_live_total", ("arrival_delay_seconds", {"at": "live"}), ("hub_live_depth",),
          ("hub_live_dropped_total", "ingest_live_lost_total")),
    Stage("process", "seconds", "process_seconds_total", ("arrival_delay_seconds", {"at": "raw"}), ("log_raw_depth",),
          ("log_bad_records_total",)),
    Stage("distribute", "samples", "distribute_samples_total", ("arrival_delay_seconds", {"at": "parsed"}),
          ("log_parsed_depth",)),
    Stage("studio", "deliveries", "live_deliveries_total", ("arrival_delay_seconds", {"at": "viewer"}),
          ("live_queue_depth",), ("live_dropped_total", "live_late_total", "live_overloaded_total")),
    Stage("store reads", "questions", "live_store_questions_total", None, ("live_questions_depth",)),
    Stage("commands", "methods", "methods_total", ("method_seconds", {}), ("ledger_notes_depth",),
          ("ledger_notes_dropped_total", "ledger_lost_total")),
    Stage("web", "requests", "web_requests_total", ("web_request_seconds", {}), (),
          ("web_denied_total", "web_refused_total")),
)  # fmt: skip

WATCHED: tuple[tuple[str, str], ...] = (
    ("component_restarts_total", "parts begun again"),
    ("loop_errors_total", "errors that nobody waited for"),
    ("live_failed_total", "errors in the live service"),
    ("transport_retries_total", "tries of transports"),
    ("hub_connections_lost_total", "hub connections lost"),
    ("live_resubscribed_total", "live subscriptions begun anew"),
    ("process_problems_total", "bad input, kept raw"),
    ("ingest_clock_off_total", "messages of machines with a wrong clock"),
    ("retention_failed_total", "failures of the retention"),
    ("live_missing_total", "seconds that viewers never got"),
)
"""Counters that are worth a line when they grow."""


SHARES: tuple[tuple[str, str, str], ...] = (
    ("requests", "web_requests_total", "area"),
    ("answers", "web_requests_total", "status"),
    ("commands", "commands_total", "state"),
    ("methods", "methods_total", "result"),
    ("real time", "device_realtime_total", "event"),
    ("questions", "live_store_questions_total", "result"),
    ("bad input", "process_problems_total", "kind"),
    ("retries", "transport_retries_total", "what"),
    ("restarts", "component_restarts_total", "component"),
    ("denied", "web_denied_total", "reason"),
    ("refused", "web_refused_total", "why"),
)
"""Counters by label, since the process began, where there is room for them."""


class Row(NamedTuple):
    """One stage as text; `is_bad`: something was dropped since the scrape before."""

    stage: str
    rate: str
    what: str
    p50: str
    p99: str
    queue: str
    high: str
    drops: str
    is_bad: bool = False


class View(NamedTuple):
    """All that is shown. `states`: parts that do not work, with why, or `failing` for who may not know."""

    is_ready: bool
    states: Mapping[str, str]
    rows: Sequence[Row]
    facts: Sequence[tuple[str, str]]
    growing: Sequence[str]
    details: Sequence[tuple[str, str]] = ()


def view(change: Change, ready: Mapping[str, object]) -> View:
    """What to show of two scrapes, and of what `/readyz` said at the later one."""
    states = {
        str(name): str(state)
        for group in ("transports", "components")
        for name, state in _mapping(ready.get(group)).items()
        if state != "ok"
    }
    rows = [_row(stage, change) for stage in STAGES if change.after.total(f"duco_{stage.counter}") is not None]
    growing = []
    for name, words in WATCHED:
        grown = change.increase(f"duco_{name}")
        if grown:
            growing.append(f"{number(grown)} {words}{_by(change, name)}")
    is_ready = ready.get("status") == "ready"
    return View(is_ready, states, rows, _facts(change), growing, list(_details(change.after)))


def _mapping(value: object) -> Mapping[object, object]:
    return value if isinstance(value, Mapping) else {}


def _by(change: Change, name: str) -> str:
    """The labels of what grew, the most first."""
    grown = {
        ", ".join(labels.values()): change.increase(f"duco_{name}", **labels) or 0.0
        for labels, _ in change.after.series(f"duco_{name}")
        if labels
    }
    shown = sorted((each for each in grown.items() if each[1]), key=lambda each: -each[1])[:3]
    return f" ({', '.join(label for label, _ in shown)})" if shown else ""


def _row(stage: Stage, change: Change) -> Row:
    after = change.after
    p50 = p99 = None
    if stage.delay is not None:
        name, labels = stage.delay
        p50, p99 = (change.quantile(share, f"duco_{name}", **labels) for share in (0.5, 0.99))
    depths = [found for name in stage.depths if (found := after.total(f"duco_{name}")) is not None]
    highs = [found for name in stage.depths if (found := after.total(f"duco_{name}_high")) is not None]
    dropped = sum(after.total(f"duco_{name}") or 0.0 for name in stage.drops)
    lately = sum(change.increase(f"duco_{name}") or 0.0 for name in stage.drops)
    drops = number(dropped) + (f" +{number(lately)}" if lately else "")
    return Row(
        stage.name,
        number(change.rate(f"duco_{stage.counter}")),
        stage.what,
        duration(p50),
        duration(p99),
        number(sum(depths)) if depths else "",
        number(max(highs)) if highs else "",
        drops if stage.drops else "",
        lately > 0,
    )


def _details(after: Scrape) -> Iterator[tuple[str, str]]:
    for words, name, label in SHARES:
        shares: dict[str, float] = {}
        for labels, value in after.series(f"duco_{name}"):
            shares[labels.get(label, "?")] = shares.get(labels.get(label, "?"), 0.0) + value
        most = sorted((each for each in shares.items() if each[1]), key=lambda each: -each[1])
        if most:
            yield words, ", ".join(f"{each} {number(value)}" for each, value in most)


def _facts(change: Change) -> list[tuple[str, str]]:
    after = change.after
    facts = []
    viewers = after.total("duco_live_viewers")
    if viewers is not None:
        watched, lagging = after.total("duco_live_peers"), after.total("duco_live_lagging")
        text = f"{number(viewers)} of {number(watched)} streams, {number(lagging)} lagging"
        merged = change.rate("duco_live_merged_total")
        facts.append(("viewers", text + f", {number(merged)} samples/s merged"))
    if after.total("duco_device_realtime_on") is not None or after.total("duco_leases_held") is not None:
        on, leased = after.total("duco_device_realtime_on"), after.total("duco_leases_held")
        facts.append(("real time", f"{number(on)} machines here on, {number(leased)} leased"))
    lags = [(labels["table"], value) for labels, value in after.series("duco_store_lag_seconds")]
    if lags:
        facts.append(("store", ", ".join(f"{table} {duration(value)} behind" for table, value in sorted(lags))))
    return [*facts, ("load", _load(change)), *_version(after)]


def _load(change: Change) -> str:
    after = change.after
    parts = []
    cpu = change.rate("process_cpu_seconds_total")
    if cpu is not None:
        parts.append(f"CPU {cpu * 100:.0f} %")
    for name, words in (("process_resident_memory_bytes", "memory"), ("duco_data_dir_free_bytes", "disk free")):
        value = after.total(name)
        if value is not None:
            parts.append(f"{words} {size(value)}")
    parts.append(f"files {number(after.total('process_open_fds'))}")
    lag = after.highest("duco_loop_lag_seconds_high")
    parts.append(f"loop late {duration(lag)} at most")
    return ", ".join(parts)


def _version(after: Scrape) -> list[tuple[str, str]]:
    return [("version", f"{labels.get('version', '?')}, Python {labels.get('python', '?')}")
            for labels, _ in after.series("duco_build_info")]  # fmt: skip


def number(value: float | None) -> str:
    """Short: 3 digits are enough to see a change."""
    if value is None:
        return "–"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            scale = {"G": 1e9, "M": 1e6, "k": 1e3}[unit]
            return f"{value / scale:.3g}{unit}"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def duration(seconds: float | None) -> str:
    """In the unit that reads best; – for none."""
    if seconds is None:
        return "–"
    if seconds == float("inf"):
        return "over 1 h"
    if seconds < 0.0995:
        return f"{seconds * 1000:.2g} ms" if seconds < 0.00995 else f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def size(count: float) -> str:
    """Bytes in decimal units."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
