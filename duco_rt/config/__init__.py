"""The configuration: one tree of frozen structs. Its defaults are the demo's; `config_load` reads it.

A section's keys serve all of its kinds; `config_load.check_kinds` says what a kind needs.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

Role = Literal["device", "ingest", "process", "distribute", "studio", "metaapi"]
ROLES: tuple[Role, ...] = ("device", "ingest", "process", "distribute", "studio", "metaapi")

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
Secret = Annotated[str, Meta(extra={"secret": True})]  # nosec B105  # a mark, no secret
"""Comes from the environment, or from the file that the key of the same name with `_file` names."""


_HIDDEN = "'***'"


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    def __repr__(self) -> str:
        """Without its secrets."""
        kind = type(self)
        shown = (f"{key}={_HIDDEN if hides(kind, key) and value else repr(value)}" for key, value in _items(self))
        return f"{kind.__name__}({', '.join(shown)})"


def _items(section: _Section) -> list[tuple[str, object]]:
    return [(key, getattr(section, key)) for key in section.__struct_fields__]


@cache
def hides(kind: type[_Section], key: str) -> bool:
    """Whether a key of a section is a secret."""
    hint = get_type_hints(kind, include_extras=True)[key]
    return any(isinstance(extra, Meta) and bool(extra.extra) for extra in get_args(hint)[1:])


class App(_Section, frozen=True):
    """What this process does and where it keeps things."""

    roles: tuple[Role, ...] = ROLES
    data_dir: str = "data"
    msg_types: tuple[Name, ...] = ("vehicle_can", "client_raw_data")
    drain_timeout_s: Seconds = 20.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "text", "json"] = "auto"


class Server(_Section, frozen=True):
    """What every transport that talks to a server can be told."""

    url: str = ""
    user: str = ""
    password: Secret = ""
    password_file: str = ""
    ca_file: str = ""


class Hub(Server, frozen=True):
    """Device to cloud. `queue_messages_max`: messages not yet taken (a device waits), live ones (the oldest goes)."""

    kind: Literal["memory", "mqtt", "iothub"] = "memory"
    name: Name = "ducohub"
    queue_messages_max: Annotated[int, Meta(ge=1, le=65_535)] = 2_000
    method_timeout_s: Seconds = 10.0
    send_timeout_s: Seconds = 10.0
    inflated_bytes_max: Count = 4 * 1024 * 1024
    cert_file: str = ""
    key_file: str = ""
    host: str = ""
    device_connection_string: Secret = ""
    device_connection_string_file: str = ""
    service_connection_string: Secret = ""
    service_connection_string_file: str = ""
    events_connection_string: Secret = ""
    events_connection_string_file: str = ""
    group: Name = "duco-ingest"
    consumer_group: str = "$Default"
    live_consumer_group: str = "duco-live"
    checkpoints_url: str = ""


class Log(_Section, frozen=True):
    """Raw and parsed messages between the roles. A full log makes the writer wait."""

    kind: Literal["memory", "kafka"] = "memory"
    bootstrap_servers: str = ""
    user: str = ""
    password: Secret = ""
    password_file: str = ""
    ca_file: str = ""
    prefix: Name = "duco"
    partitions: Count = 12
    replicas: Count = 1
    queue_messages_max: Count = 10_000
    batch_messages_max: Count = 500
    batch_age_max_s: Seconds = 0.2


class Live(Server, frozen=True):
    """Real-time samples to studio. A slow reader loses the oldest; `reorder_s`: how long one waits for its elder.

    `stats`: samples carry min, max and count of fields with several values in the second, for viewers who ask.
    """

    kind: Literal["memory", "redis-pubsub", "redis-streams"] = "memory"
    subscribe: Literal["channels", "pattern"] = "channels"
    queue_messages_max: Count = 600
    keep_s: Seconds = 300.0
    reorder_s: Annotated[float, Meta(ge=0, le=10)] = 0.5
    stats: bool = True


class Leases(Server, frozen=True):
    """Who watches what."""

    kind: Literal["memory", "redis"] = "memory"
    ttl_s: Seconds = 60.0
    cron_s: Seconds = 60.0


class Store(Server, frozen=True):
    """Raw and parsed history; day partitions past their retention or over the limit are dropped."""

    kind: Literal["chdb", "clickhouse"] = "chdb"
    create_tables: bool = True
    raw_retention_days: Count = 7
    parsed_retention_days: Count = 30
    raw_limit_gb: Annotated[float, Meta(gt=0)] = 20.0
    parsed_limit_gb: Annotated[float, Meta(gt=0)] = 20.0


class MetaStore(_Section, frozen=True):
    """MetaAPI's data: under `data_dir`, or another process's.

    `refresh_s`: how soon a changed parsing is noticed; `read_limit_s`: how long its databases may take to be read;
    `tenants_add_devices`: whether a tenant's admin may add machines that nobody has.
    """

    kind: Literal["sqlite", "http"] = "sqlite"
    url: str = ""
    token: Secret = ""
    token_file: str = ""
    ca_file: str = ""
    parsing_bytes_max: Count = 4 * 1024 * 1024
    devices_tenant_max: Count = 10_000
    parsings_tenant_max: Count = 1_000
    tenants_add_devices: bool = False
    refresh_s: Annotated[float, Meta(gt=0, le=10)] = 5.0
    read_limit_s: Annotated[float, Meta(gt=0, le=60)] = 20.0


class Bus(_Section, frozen=True):
    """One python-can bus. `name` is the channel in the data; `channel` and `interface` are python-can's."""

    name: Annotated[str, Meta(min_length=1, max_length=32)]
    interface: str
    channel: str | int
    bitrate: Count = 500_000
    fd: bool = False


class Device(_Section, frozen=True):
    """The DUCO App. It reads `buses`, or plays `replay`, or simulates machines where neither is given."""

    chassis_id: Name = "DUCO_001"
    simulate: Annotated[int, Meta(ge=1, le=1000)] = 1
    seed: int = 1
    buses: tuple[Bus, ...] = ()
    replay: str = ""
    replay_speed: Annotated[float, Meta(gt=0, le=10_000)] = 1.0
    key: Annotated[str, Meta(pattern=r"^(always|bus|signal:.+)\Z")] = "always"
    key_bus_timeout_s: Seconds = 3.0
    dbc: tuple[str, ...] = ()
    gps_lat_signal: str = "Latitude"
    gps_lng_signal: str = "Longitude"
    upload_interval_s: Annotated[int, Meta(ge=1, le=3600)] = 10
    realtime_timeout_s: Seconds = 180.0
    spool_mb_max: Annotated[float, Meta(gt=0)] = 256.0
    resend_s: Annotated[float, Meta(ge=0, le=3600)] = 60.0
    open_frames_max: Count = 200_000


class Web(_Section, frozen=True):
    """The HTTP server of every process. Port 0 takes a free one.

    `viewer_*` bound what one live viewer may lack or hold, `recent_*` what is held of a watched machine for all;
    `*_user_*` is of one token or signed-in user, and of nobody without authentication.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    reuse_port: bool = False
    auth: Literal["none", "tokens", "oidc"] = "none"
    public_url: str = ""
    cert_file: str = ""
    key_file: str = ""
    proxies: tuple[str, ...] = ()
    session_hours: Annotated[float, Meta(gt=0, le=720)] = 12.0
    token_refresh_s: Annotated[float, Meta(gt=0, le=60)] = 5.0
    monitor_token: Secret = ""
    monitor_token_file: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: Secret = ""
    oidc_client_secret_file: str = ""
    oidc_audience: str = ""
    oidc_roles_claim: str = "duco_roles"
    oidc_name_claim: str = "preferred_username"
    connections_max: Count = 12_000
    connections_address_max: Count = 1_000
    viewers_max: Count = 10_000
    viewers_user_max: Count = 200
    viewers_tenant_max: Count = 2_000
    requests_user_per_s_max: Annotated[float, Meta(gt=0)] = 200.0
    requests_tenant_per_s_max: Annotated[float, Meta(gt=0)] = 1_000.0
    denied_per_s_max: Annotated[float, Meta(gt=0)] = 10.0
    messages_per_s_max: Annotated[float, Meta(gt=0)] = 50.0
    messages_user_per_s_max: Annotated[float, Meta(gt=0)] = 200.0
    fields_max: Count = 2_000
    header_bytes_max: Annotated[int, Meta(ge=1024, le=65536)] = 8_190
    header_timeout_s: Seconds = 10.0
    body_timeout_s: Seconds = 30.0
    idle_timeout_s: Seconds = 75.0
    write_timeout_s: Seconds = 30.0
    history_fields_max: Count = 500
    history_hours_max: Annotated[float, Meta(gt=0)] = 24.0
    history_values_max: Count = 2_000_000
    full_hours_max: Annotated[float, Meta(gt=0)] = 6.0
    message_bytes_max: Count = 65_536
    body_bytes_max: Count = 16 * 1024 * 1024
    viewer_queue_messages_max: Count = 10
    viewer_queue_bytes_max: Count = 65_536
    viewer_stall_s: Seconds = 20.0
    resume_s_max: Seconds = 600.0
    recent_s: Seconds = 150.0
    recent_mb_max: Annotated[float, Meta(gt=0)] = 4.0


class Config(_Section, frozen=True):
    """All sections."""

    app: App = App()
    hub: Hub = Hub()
    log: Log = Log()
    live: Live = Live()
    leases: Leases = Leases()
    store: Store = Store()
    meta: MetaStore = MetaStore()
    device: Device = Device()
    web: Web = Web()
