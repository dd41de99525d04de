"""Whom the HTTP server may be open to, and what it needs for that."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from duco_rt.config import Config, Web
from duco_rt.errors import ConfigError

_LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
_MONITOR_TOKEN_MIN = 16
_META_TOKEN_MIN = 32


def check_web(config: Config) -> None:
    """Raise ConfigError naming the key that lets in whom it should not, or that cannot be used."""
    web = config.web
    if web.auth == "none" and web.host not in _LOOPBACK_HOSTS:
        raise ConfigError(
            f"web.host = {web.host!r}: without authentication only 127.0.0.1, localhost or ::1 can be served;"
            ' set web.auth = "tokens" (or "oidc"), and web.cert_file and web.key_file for TLS'
        )
    for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if getattr(web, other) and not getattr(web, key):
            raise ConfigError(f"web.{key} = '': web.{other} is set, and TLS needs both")
    if web.public_url:
        _check_origin("web.public_url", web.public_url)
    for text in web.proxies:
        try:
            ip_network(text, strict=False)
        except ValueError as e:
            raise ConfigError(
                f"web.proxies: {text!r}: expected an address or a network, 10.0.0.1 or 10.0.0.0/24"
            ) from e
    if web.monitor_token and len(web.monitor_token) < _MONITOR_TOKEN_MIN:  # not shown
        raise ConfigError(
            f"web.monitor_token: {_MONITOR_TOKEN_MIN} characters at least, {len(web.monitor_token)} given"
        )
    if web.auth == "oidc":
        _check_oidc(web)
    _check_meta_token(config)


def _check_origin(key: str, value: str) -> None:
    parts = _split(key, value)
    beyond = parts.path or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not parts.hostname or beyond:
        raise ConfigError(f"{key} = {value!r}: expected https://HOST or https://HOST:PORT, without a path")


def _check_oidc(web: Web) -> None:
    for key, example in (("oidc_issuer", "https://login.example.com/realms/duco"), ("oidc_client_id", "duco")):
        if not getattr(web, key):
            raise ConfigError(f"web.{key} = '': web.auth = \"oidc\" needs it, for example {example}")
    parts = _split("web.oidc_issuer", web.oidc_issuer)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ConfigError(f"web.oidc_issuer = {web.oidc_issuer!r}: https:// is needed (http:// on this machine alone)")


def _check_meta_token(config: Config) -> None:
    if config.meta.token and len(config.meta.token) < _META_TOKEN_MIN:  # not shown
        raise ConfigError(f"meta.token: {_META_TOKEN_MIN} characters at least, {len(config.meta.token)} given")
    asks = any(role in config.app.roles for role in ("ingest", "process", "studio"))
    if config.meta.kind == "http" and asks and config.web.auth != "none" and not config.meta.token:
        raise ConfigError(
            f"meta.token = '': web.auth = {config.web.auth!r} with meta.kind = 'http' needs one: set"
            " DUCO_META__TOKEN or meta.token_file to a secret that MetaAPI's process has as well (or to a token of it:"
            " python -m duco_rt token add NAME --tenant '*' --role service)"
        )


def web_warnings(config: Config) -> list[str]:
    """What may be meant so, and is told: tokens and data on their way in plain text."""
    web, meta, warnings = config.web, config.meta, []
    if web.host not in _LOOPBACK_HOSTS and not is_tls(web):
        warnings.append(
            f"web.host = {web.host!r} without TLS: tokens and data go in plain text; set web.cert_file and"
            ' web.key_file, or web.public_url = "https://…" where a proxy in front has the certificate'
        )
    if is_tls(web) and not web.cert_file and not web.proxies:
        warnings.append(
            f"web.public_url = {web.public_url!r} without web.cert_file: a proxy must be in front, and all requests"
            " seem to come from it: set web.proxies to its address"
        )
    goes_far = meta.kind == "http" and not is_loopback(urlsplit(meta.url).hostname or "")
    if goes_far and meta.token and meta.url.startswith("http:"):
        warnings.append(f"meta.url = {meta.url!r}: meta.token goes there in plain text; use https://")
    return warnings


def is_tls(config: Web) -> bool:
    """Whether browsers reach this server by https: its own certificate, or a proxy's in front of it."""
    return bool(config.cert_file) or config.public_url.lower().startswith("https://")


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(key: str, value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.hostname, parts.port
    except ValueError as e:
        raise ConfigError(f"{key} = {value!r}: {e}") from e
    return parts
