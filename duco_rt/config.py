"""The configuration: one tree of frozen structs, read strictly. Its defaults are the demo's.

Layers, later wins: these defaults, the TOML file, the environment (DUCO_SECTION__KEY), `--set section.key=value`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from duco_rt.errors import ConfigError

Role = Literal["device", "ingest", "process", "distribute", "studio", "metaapi"]
ROLES: tuple[Role, ...] = ("device", "ingest", "process", "distribute", "studio", "metaapi")

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class App(_Section, frozen=True):
    """What this process does and where it keeps things."""

    roles: tuple[Role, ...] = ROLES
    data_dir: str = "data"
    msg_types: tuple[Name, ...] = ("vehicle_can", "client_raw_data")
    drain_timeout_s: Seconds = 20.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Hub(_Section, frozen=True):
    """Device to cloud. `queue_messages_max`: messages not yet taken (a device waits), live ones (the oldest goes)."""

    kind: Literal["memory"] = "memory"
    name: Name = "ducohub"
    queue_messages_max: Count = 10_000
    method_timeout_s: Seconds = 10.0


class Log(_Section, frozen=True):
    """Raw and parsed messages between the roles. A full log makes the writer wait."""

    kind: Literal["memory"] = "memory"
    queue_messages_max: Count = 10_000
    batch_messages_max: Count = 500
    batch_age_max_s: Seconds = 0.2


class Live(_Section, frozen=True):
    """Real-time samples to studio. A slow reader loses the oldest."""

    kind: Literal["memory"] = "memory"
    queue_messages_max: Count = 600


class Leases(_Section, frozen=True):
    """Who watches what."""

    kind: Literal["memory"] = "memory"
    ttl_s: Seconds = 60.0
    cron_s: Seconds = 60.0


class Store(_Section, frozen=True):
    """Raw and parsed history under `data_dir`; day partitions past their retention or over the limit are dropped."""

    kind: Literal["chdb"] = "chdb"
    raw_retention_days: Count = 7
    parsed_retention_days: Count = 30
    raw_limit_gb: Annotated[float, Meta(gt=0)] = 20.0
    parsed_limit_gb: Annotated[float, Meta(gt=0)] = 20.0


class MetaStore(_Section, frozen=True):
    """MetaAPI's data under `data_dir`; `refresh_s`: how soon a changed parsing is noticed."""

    kind: Literal["sqlite"] = "sqlite"
    refresh_s: Annotated[float, Meta(gt=0, le=10)] = 5.0


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
    outbox_messages_max: Count = 1000
    open_frames_max: Count = 200_000


class Web(_Section, frozen=True):
    """The HTTP server of every process. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    history_fields_max: Count = 500
    history_hours_max: Annotated[float, Meta(gt=0)] = 24.0
    history_values_max: Count = 2_000_000
    message_bytes_max: Count = 65_536
    body_bytes_max: Count = 16 * 1024 * 1024
    viewer_queue_messages_max: Count = 60


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


def load_config(
    path: str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Read the configuration. `overrides` are `section.key=value`.

    Without `path` the current folder's config.toml is read where there is one. Raises ConfigError naming key and
    value.
    """
    tree = _read_file(path)
    _convert(tree, strict=True, source=f"{path or 'config.toml'}: ")
    environ = os.environ if environ is None else environ
    layers = [(k[5:].lower().replace("__", "."), v, f"{k}: ") for k, v in environ.items() if _is_key(k)]
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError(f"--set {override}: expected section.key=value")
        layers.append((key.strip(), value, "--set "))
    for key, value, source in sorted(layers, key=lambda layer: layer[2] == "--set "):
        section, _, name = key.partition(".")
        if not section or not name:
            raise ConfigError(f"{source}{key} = {value!r}: expected section.key")
        tree.setdefault(section, {})[name] = _literal(value)
        _convert({section: {name: tree[section][name]}}, strict=False, source=source)
    config = _convert(tree, strict=False, source="")
    check_loopback(config)
    return config


def check_loopback(config: Config) -> None:
    """Without authentication the server is for this machine only."""
    if config.web.host not in ("127.0.0.1", "localhost", "::1"):
        raise ConfigError(
            f"web.host = {config.web.host!r}: without authentication only 127.0.0.1, localhost or ::1 can be served"
        )


def _is_key(name: str) -> bool:
    return name.startswith("DUCO_") and "__" in name


def _read_file(path: str | Path | None) -> dict[str, Any]:
    file = Path(path or "config.toml")
    if not file.exists():
        if path is not None:
            raise ConfigError(f"--config {path}: no such file")
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as e:
        raise ConfigError(f"{file}: {e}") from e


def _literal(value: str) -> object:
    """A list or table is read as TOML; anything else stays text, and its key's type reads it."""
    if value[:1] in "[{":
        try:
            return tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            return value
    return value


def _convert(tree: dict[str, Any], *, strict: bool, source: str) -> Config:
    try:
        return msgspec.convert(tree, Config, strict=strict)
    except msgspec.ValidationError as e:
        raise ConfigError(source + _explain(tree, str(e))) from e


def _explain(tree: object, words: str) -> str:
    """Turn msgspec's `… - at `$.web.port`` into `web.port = 'x': …`."""
    what, _, at = words.partition(" - at ")
    path = at.strip("`").removeprefix("$").removeprefix(".")
    steps = re.findall(r"[^.\[\]]+", path)
    unknown = re.search(r"unknown field `(.+?)`", what)
    if unknown:
        path, what = ".".join(filter(None, (path, unknown[1]))), "no such key"
        steps.append(unknown[1])
    value, kind = _value(tree, steps), _choices(steps)
    if kind and "enum" in what:
        what = f"expected one of {', '.join(kind)}"
    if len(steps) == 1 and isinstance(value, Mapping):
        held = ", ".join(f"{path}.{key} = {text!r}" for key, text in value.items()) or path
        return f"{held}: no such section; there are {', '.join(Config.__struct_fields__)}"
    return f"{path} = {value!r}: {what[:1].lower()}{what[1:]}"


def _choices(steps: Sequence[str]) -> tuple[str, ...]:
    """The words that a key takes, where it takes words."""
    kind: object = Config
    for step in steps[:2]:
        kind = get_type_hints(kind).get(step)
    words = get_args(kind)
    if words and get_origin(kind) is tuple:
        words = get_args(words[0])
    return tuple(word for word in words if isinstance(word, str))


def _value(tree: object, steps: Sequence[str]) -> object:
    value = tree
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and step.isdigit():
            value = value[int(step)]
    return value
