"""Where a request comes from, and which hosts and origins are this server: what of that can be believed."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from aiohttp import hdrs, web

from duco_rt.config import Web

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_PORTS = {"http": 80, "https": 443}
_HOPS_MAX = 20
_FORWARDED_FOR, _FORWARDED_PROTO = "X-Forwarded-For", "X-Forwarded-Proto"

Place = tuple[str, str, int]
"""Scheme, host and port of an origin."""


class Addresses:
    """What `web.proxies`, `web.public_url` and `web.auth` make of a request's headers."""

    def __init__(self, config: Web) -> None:
        self._proxies = [ip_network(text, strict=False) for text in config.proxies]
        self._public = place(config.public_url)
        self._is_open = config.auth == "none"

    def of(self, request: web.BaseRequest) -> str:
        """The address that a request is from: of the last one before the proxies that are ours."""
        at = _read(request.remote or "")
        if at is None:
            return request.remote or ""
        for text in reversed(_listed(request, _FORWARDED_FOR)[-_HOPS_MAX:]):
            before = _read(text)
            if before is None or not self._is_proxy(at):
                break
            at = before
        return str(at)

    def is_own_host(self, request: web.BaseRequest) -> bool:
        """Whether a request names a host that is this server, so that no page elsewhere can have pointed its own name
        here: this machine, or the host of `web.public_url`. With authentication and without that key any host is."""
        host = _host(request)
        if host is None:
            return False
        if host.hostname in LOOPBACK:
            return True
        if self._is_open:
            return False
        return self._public is None or host.hostname == self._public[1]

    def is_own_origin(self, request: web.BaseRequest, origin: str) -> bool:
        """Whether an Origin is that of this server's own page."""
        found = place(origin)
        if found is None:
            return False
        if self._public is not None and (found == self._public or host_name(request) == self._public[1]):
            return found == self._public  # not http:// where that name has TLS
        return found == place(f"{self._scheme(request)}://{request.headers.get(hdrs.HOST, '')}")

    def origin(self, request: web.BaseRequest) -> str:
        """This server as browsers reach it, without a slash at the end: `web.public_url`, else what a request names."""
        if self._public is None:
            return f"{self._scheme(request)}://{request.headers.get(hdrs.HOST, '')}"
        scheme, host, port = self._public
        shown = f"[{host}]" if ":" in host else host
        return f"{scheme}://{shown}" + ("" if port == _PORTS[scheme] else f":{port}")

    def _scheme(self, request: web.BaseRequest) -> str:
        forwarded = _listed(request, _FORWARDED_PROTO)
        at = _read(request.remote or "") if forwarded else None
        if at is not None and self._is_proxy(at) and forwarded[-1].lower() in _PORTS:
            return forwarded[-1].lower()
        return request.scheme

    def _is_proxy(self, at: IPv4Address | IPv6Address) -> bool:
        return any(at in network for network in self._proxies)


def place(origin: str) -> Place | None:
    """Scheme, host and port of an origin as browsers send it; None where it is none, as `null` is."""
    parts = _split(origin)
    try:
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:  # a port that is none
        return None
    beyond = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in _PORTS or not parts.hostname or beyond:
        return None
    return parts.scheme, parts.hostname, port


def host_name(request: web.BaseRequest) -> str:
    """The host that a request names, without its port; empty where it names none, or several."""
    host = _host(request)
    return "" if host is None else host.hostname or ""


def frame_ancestors(request: web.BaseRequest) -> str:
    """Who may show the page within another: notebooks on this host, whatever their port."""
    host = host_name(request)
    if not host.replace("-", "").replace(".", "").isalnum() or not host.isascii():
        return "frame-ancestors 'self'"  # no name: in IPv6 there is no way to say it
    hosts = ("localhost", "127.0.0.1") if host in ("localhost", "127.0.0.1") else (host,)
    return "frame-ancestors 'self' " + " ".join(f"{scheme}://{each}:*" for each in hosts for scheme in _PORTS)


def _host(request: web.BaseRequest) -> SplitResult | None:
    named = request.headers.getall(hdrs.HOST, ())
    if len(named) != 1:
        return None
    found = _split(f"//{named[0]}")
    return found if found.hostname and found.netloc == named[0] and "@" not in found.netloc else None


def _split(text: str) -> SplitResult:
    """Its parts; those of nowhere where it is malformed."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


def _listed(request: web.BaseRequest, header: str) -> list[str]:
    values: Iterable[str] = request.headers.getall(header, ())
    return [part.strip() for part in ",".join(values).split(",") if part.strip()]


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """An address, with or without a port behind it; one of IPv4 in IPv6 is that of IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found
