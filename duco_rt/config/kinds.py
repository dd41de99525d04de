"""What the kinds of transport need of their sections."""

from __future__ import annotations

from urllib.parse import urlsplit

from duco_rt.config import Config
from duco_rt.errors import ConfigError

_ADDRESSES: dict[tuple[str, str], tuple[str, tuple[str, ...], str]] = {
    ("hub", "mqtt"): ("url", ("mqtt", "mqtts"), "mqtt://localhost:1883"),
    ("log", "kafka"): ("bootstrap_servers", (), "localhost:9092"),
    ("live", "redis-pubsub"): ("url", ("redis", "rediss"), "redis://localhost:6379"),
    ("live", "redis-streams"): ("url", ("redis", "rediss"), "redis://localhost:6379"),
    ("leases", "redis"): ("url", ("redis", "rediss"), "redis://localhost:6379"),
    ("store", "clickhouse"): ("url", ("clickhouse", "clickhouses"), "clickhouse://localhost:9000"),
    ("meta", "http"): ("url", ("http", "https"), "http://localhost:8080"),
}
"""Section and kind: the key of the server's address, its schemes, an example."""

_IOTHUB: dict[str, str] = {
    "ingest": "events_connection_string",
    "metaapi": "service_connection_string",
    "device": "device_connection_string",
}


def check_kinds(config: Config) -> None:
    """Raise ConfigError naming the key that a chosen kind lacks, or that it cannot use."""
    for (section, kind), (key, schemes, example) in _ADDRESSES.items():
        held = getattr(config, section)
        if held.kind == kind:
            _check_address(f"{section}.{key}", getattr(held, key), schemes, f'{section}.kind = "{kind}"', example)
    if config.hub.checkpoints_url:
        _check_address("hub.checkpoints_url", config.hub.checkpoints_url, ("redis", "rediss"), "", "redis://localhost")
    if config.hub.kind == "iothub":
        _check_iothub(config)
    if config.meta.kind == "http" and "metaapi" in config.app.roles:
        raise ConfigError("meta.kind = 'http': the role metaapi keeps the data itself; take it out of app.roles")


def _check_address(key: str, value: str, schemes: tuple[str, ...], needed_by: str, example: str) -> None:
    if not value:
        raise ConfigError(f"{key} = '': {needed_by} needs it, for example {example}")
    if not schemes:
        return
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as e:
        raise ConfigError(f"{key}: {e}") from e
    if parts.username or parts.password or parts.query:  # not shown: it may hold a password
        section = key.partition(".")[0]
        raise ConfigError(f"{key}: user and password have keys of their own, {section}.user and {section}.password")
    if parts.scheme not in schemes or not host:
        raise ConfigError(f"{key} = {value!r}: expected {' or '.join(f'{s}://HOST:PORT' for s in schemes)}")


def _check_iothub(config: Config) -> None:
    hub = config.hub
    for role, key in _IOTHUB.items():
        if role not in config.app.roles or getattr(hub, key):
            continue
        if role == "device" and hub.host and hub.cert_file and hub.key_file:
            continue
        other = ", or hub.host, hub.cert_file and hub.key_file for X.509" if role == "device" else ""
        raise ConfigError(
            f"hub.{key} = '': hub.kind = \"iothub\" needs it for the role {role}: set DUCO_HUB__{key.upper()}"
            f" or hub.{key}_file{other}"
        )
