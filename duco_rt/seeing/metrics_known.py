"""Every metric that a process may show: name, kind, help and labels. Pure.

A counter is shown from the start, with 0 for each declared value of its labels: the rate of what never happened is 0,
not "no data". A label never has a value without bound, such as a machine, a tenant or a user.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]

PREFIX = "duco_"
STANDARD = "process_cpu_ process_resident_ process_open_ process_max_ process_start_"
"""What Prometheus itself names so of any process: without our prefix."""

DELAY_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)
"""Upper bounds of every histogram's buckets, in seconds: from a write to viewers to the backlog of an hour."""


class Known(NamedTuple):
    """A metric; `labels`: name → the values it begins with."""

    name: str
    kind: Kind
    help: str
    labels: dict[str, tuple[str, ...]]

    @property
    def series(self) -> Iterator[dict[str, str]]:
        """The labels of each series that is there from the start."""
        for values in product(*self.labels.values()):
            yield dict(zip(self.labels, values, strict=True))


def shown(name: str) -> str:
    """A metric's name as scrapers see it."""
    return name if name.startswith(tuple(STANDARD.split())) else PREFIX + name


def _counter(name: str, text: str, **labels: str) -> Known:
    return Known(name, "counter", text, _values(labels))


def _gauge(name: str, text: str, **labels: str) -> Known:
    return Known(name, "gauge", text, _values(labels))


def _delay(name: str, text: str, **labels: str) -> Known:
    return Known(name, "histogram", text, _values(labels))


def _values(labels: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(text.split("|") if "|" in text else text.split()) for key, text in labels.items()}


def _depth(name: str, text: str, **labels: str) -> tuple[Known, Known]:
    """A queue's depth and its high-water mark."""
    high = f"The highest {name} of the last one to two minutes"
    return _gauge(name, text, **labels), _gauge(f"{name}_high", high, **labels)


_CAN = "unknown_id unknown_page error_frame short_frame fastpacket_bad fastpacket_incomplete"
_CAN += " multipacket_bad multipacket_headless multipacket_incomplete"
_BODY = "unknown_device unknown_msg_type unread_body no_parsing decode_failed incomplete_second failed not_noted"
_LIVE_FAILED = "delivery message parsing question settle subscription tick viewer last_known"
_TRANSPORTS = "hub live log meta store leases"
_ERRORS = "DeviceOffline DeviceTimeout TransportError"
_PARTS = "ingest|process|distribute|retention|hub|live|parsings|commands|live service|monitor|heartbeat"
_PARTS += "|device|device hub|device outbox"
_DENIED = "unauthorized forbidden foreign foreign_host foreign_origin"
_AT = "ingest live raw parsed viewer"

DEVICE = (
    _counter("device_seconds_total", "Seconds that the machines of this process closed"),
    _counter("device_frames_total", "CAN frames in them"),
    _counter("device_seconds_realigned_total", "Seconds begun anew after a stall, or a jump of the machine's clock"),
    _counter("device_sent_total", "Messages that the hub acknowledged"),
    _counter("device_resent_total", "Messages sent once more, as the hub may have lost them"),
    _counter("device_dropped_total", "Messages that the spool's bound or a bad disk took before the hub had them"),
    _counter("device_spool_failed_total", "Messages that the disk did not take, held in memory instead"),
    _counter("device_methods_dropped_total", "Direct methods to a machine that could not be handled in time"),
    _counter("device_realtime_total", "Changes of real-time upload", event="start stop watchdog key_off"),
    _delay("device_send_seconds", "From handing a message to the hub until the hub has it for good"),
    *_depth("device_outbox_depth", "Messages that the hub does not have yet, all machines of this process"),
    _gauge("device_spool_bytes", "Bytes in the spools of the machines of this process"),
    _gauge("device_buses_failed", "CAN buses that cannot be read now"),
    _gauge("device_realtime_on", "Machines of this process with real-time upload on"),
)

HUB = (
    *_depth("hub_stored_depth", "Messages that wait in the hub of this process for ingest"),
    *_depth("hub_unacked_depth", "Messages that ingest has taken and not yet acknowledged"),
    *_depth("hub_live_depth", "Real-time messages that wait for ingest"),
    _counter("hub_live_dropped_total", "Real-time messages that the live path was too slow for; the history has them"),
    _counter("hub_bad_messages_total", "Messages of the hub that cannot be read: topic, properties, answers"),
    _counter("hub_connections_lost_total", "Connections to the hub that were lost", part="stored live control device"),
)

INGEST = (
    _counter("ingest_messages_total", "Messages that are in the raw log", msg_type="vehicle_can client_raw_data other"),
    _counter("ingest_live_total", "Real-time samples handed to the live channel"),
    _counter(
        "ingest_live_lost_total",
        "Real-time messages lost to the live channel: it or MetaAPI was away, or a parsing not read",
    ),
    _counter("ingest_problems_total", "What ingest could not do", kind="live_away live_failed keep_failed"),
    _counter("ingest_clock_off_total", "Real-time messages whose machine's clock is wrong", clock="ahead behind"),
    *_depth("ingest_depth", "Messages that ingest has taken and the raw log does not have yet"),
)

LOG = (
    *_depth("log_raw_depth", "Records in the raw log of this process that nobody has taken"),
    *_depth("log_parsed_depth", "Records in the parsed log of this process that nobody has taken"),
    _counter("log_bad_records_total", "Records of the log that cannot be read, or are too large for it"),
    _counter("log_commits_lost_total", "Commits that came too late: another reader has the partition"),
    _counter("log_stats_left_out_total", "Spans of fields that a record could not hold, or that cannot be read"),
)

PROCESS = (
    _counter("process_messages_total", "Messages whose seconds are in the raw store"),
    _counter("process_seconds_total", "Seconds in the raw store"),
    _counter("process_problems_total", "Bad input, kept raw, by what is wrong", kind=f"{_BODY} {_CAN}"),
    _counter("process_later_total", "Seconds kept raw until their parsing is read"),
    _gauge("process_later_peers", "Machines and message types with seconds that wait for their parsing"),
    _counter("parsing_unusable_total", "Parsings that cannot be used"),
    _counter("parsing_late_total", "Parsings that were not read in time"),
    _counter("parsing_refresh_failed_total", "Looks for changed parsings that MetaAPI did not answer"),
    _counter("reparse_samples_total", "Samples made again from the raw store"),
)

STORE = (
    _counter("distribute_samples_total", "Samples in the parsed store"),
    _counter("distribute_values_total", "Values in them"),
    _delay("store_insert_seconds", "A batch's way into the store, with what had to be tried again", table="raw parsed"),
    _gauge("store_lag_seconds", "How far the store is behind arrival: the age of what was, or is, put there",
           table="raw parsed"),
    _counter("retention_failed_total", "Rounds of the retention that failed"),
    _gauge("retention_clock_ahead_seconds", "How far the clock was set ahead, while days are not dropped by it"),
)  # fmt: skip

DELAYS = (
    _delay("second_delay_seconds", "From the end of a machine's second to that point; seconds whose clock is right",
           at=_AT),
    _delay("arrival_delay_seconds", "From arrival at ingest to that point, by the server's clock alone",
           at="live raw parsed viewer"),
)  # fmt: skip

LIVE = (
    _gauge("live_viewers", "WebSocket viewers"),
    _gauge("live_peers", "Machines and message types with a viewer"),
    _gauge("live_lagging", "Viewers that are being given what they lack"),
    _gauge("live_recent_bytes", "Bytes of recent samples held for viewers"),
    *_depth("live_queue_depth", "Messages that wait for the slowest subscription of this process"),
    *_depth("live_questions_depth", "Questions to the store for viewers that are open"),
    _counter("live_samples_total", "Samples that came in for viewers"),
    _counter("live_deliveries_total", "Messages written to viewers that keep up"),
    _counter("live_merged_total", "Samples that viewers who lag got merged with others"),
    _counter("live_overloaded_total", "Viewers sent away (1013), as they took no more"),
    _counter("live_dropped_total", "Messages that a slow subscription lost, its oldest"),
    _counter("live_late_total", "Samples that came after their place was given up; they are in the history"),
    _counter("live_missing_total", "Positions that never came; viewers are told of the hole"),
    _counter("live_resubscribed_total", "Subscriptions begun anew after the server was lost"),
    _counter("live_bad_messages_total", "Messages of viewers that were refused",
             code="bad_message bad_fields bad_option bad_stats unknown_type"),
    _counter("live_late_messages_total", "Messages of viewers that had to wait, as they said too much"),
    _counter("live_bad_publications_total", "Live messages that cannot be read"),
    _counter("live_failed_total", "Errors that nobody thought of, each the end of one work", what=_LIVE_FAILED),
    _counter("live_problems_total", "What the live service could not do, by kind",
             kind="recent publication store"),
    _counter("live_store_questions_total", "Questions to the store for viewers", result="answered dropped failed"),
)  # fmt: skip

COMMANDS = (
    _counter("commands_total", "Commands by how they ended", state="acknowledged failed expired"),
    _counter("methods_total", "Direct methods by the machine's status, or the error", result=f"200 400 409 {_ERRORS}"),
    _delay("method_seconds", "From a direct method's sending to the machine's answer, or the error"),
    _counter("lease_renewals_total", "Renewals of leased streams, by status or error", result=f"200 409 {_ERRORS}"),
    _gauge("leases_held", "Machines with a lease, as this process's cron last saw"),
    *_depth("ledger_notes_depth", "Heartbeats that wait for the command ledger"),
    _counter("ledger_notes_dropped_total", "Heartbeats that the command ledger never got"),
    _counter("ledger_lost_total", "Ends of commands that could not be written into the ledger"),
    _counter("meta_from_cache_total", "Answers given from memory while MetaAPI was away"),
    _counter("meta_stale_total", "Such answers that were too old: 30 s, or six rounds of meta.refresh_s"),
)

WEB = (
    _counter("web_requests_total", "Requests by area and class of status, WebSockets when they end",
             area="studio commands metaapi page health access other", status="1xx 2xx 3xx 4xx 5xx"),
    _gauge("web_connections", "Connections of clients, WebSockets as well"),
    _counter("web_refused_total", "What was refused, as it was over a limit",
             why="connections connections_address viewers viewers_user viewers_tenant requests requests_tenant denied"
                 " head encoding"),
    _counter("web_cut_total", "Connections, bodies and answers that took too long, or made room for others",
             why="head body write room"),
    _delay("web_request_seconds", "Answering a request; no WebSockets",
           area="studio commands metaapi page health access other"),
)  # fmt: skip

ACCESS = (
    _counter("web_audit_lost_total", "Lines of the audit log that could not be written"),
    _counter("web_denied_total", "Requests that may not be done, by why", reason=_DENIED),
    _gauge("credentials_held", "Tokens and sessions that this process knows"),
    _counter("credentials_from_cache_total", "Requests let in by what was known before MetaAPI went away"),
    _counter("credentials_not_asked_total", "Requests refused, as too many unknown tokens were being looked up"),
    _counter("oidc_issuer_failed_total", "Questions to the issuer of OIDC that failed"),
    _counter("oidc_refused_total", "Tokens of the issuer that were refused"),
    _counter("oidc_roles_ignored_total", "Roles in such tokens that there are not"),
)

PROCESS_ITSELF = (
    _counter("transport_retries_total", "Failures of a transport that were tried again", what=_TRANSPORTS),
    _gauge("transport_failing", "Works on a transport that are being tried again now", what=_TRANSPORTS),
    _gauge("transport_up", "Whether a transport works, asked anew for each scrape", transport=""),
    _gauge("components_failing", "Other parts of the process that do not work, as /readyz says"),
    _gauge("ready", "Whether /readyz would answer 200"),
    _counter("component_restarts_total", "Parts of the process that failed and were begun again", component=_PARTS),
    _counter("loop_errors_total", "Errors that nobody waited for, of callbacks and threads", where="loop thread"),
    _delay("loop_lag_seconds", "How late the event loop comes to what is due, looked at ten times a second"),
    _gauge("loop_lag_seconds_high", "The longest such delay of the last one to two minutes"),
    _gauge("data_dir_free_bytes", "Room on the disk of the data directory"),
    _counter("gauges_failed_total", "Gauges that could not be read at a scrape"),
    _gauge("build_info", "1; the labels say which version runs", version="", python=""),
    _counter("process_cpu_seconds_total", "Processor time of this process, user and system"),
    _gauge("process_resident_memory_bytes", "Memory of this process that is not swapped out"),
    _gauge("process_open_fds", "Open files and sockets of this process"),
    _gauge("process_max_fds", "How many it may have"),
    _gauge("process_start_time_seconds", "When this process began, Unix time"),
)

KNOWN: dict[str, Known] = {
    known.name: known
    for known in (
        *DEVICE, *HUB, *INGEST, *LOG, *PROCESS, *STORE, *DELAYS, *LIVE, *COMMANDS, *WEB, *ACCESS, *PROCESS_ITSELF
    )
}  # fmt: skip
"""By name, without the prefix."""
