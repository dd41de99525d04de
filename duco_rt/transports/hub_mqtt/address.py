"""Where an MQTT broker is, and the TLS to reach it."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from duco_rt.errors import ConfigError

_PORTS = {"mqtt": 1883, "mqtts": 8883}


def address(url: str, ca_file: str, cert_file: str, key_file: str) -> tuple[str, int, ssl.SSLContext | None]:
    """Return host, port and, for `mqtts`, the TLS; ConfigError where the URL or a file cannot be used."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as e:
        raise ConfigError(f"hub.url = {url!r}: {e}") from e
    if parts.scheme not in _PORTS or not host:
        raise ConfigError(f"hub.url = {url!r}: expected mqtt://HOST:PORT or mqtts://HOST:PORT")
    tls = tls_context(ca_file, cert_file, key_file) if parts.scheme == "mqtts" else None
    return host, port or _PORTS[parts.scheme], tls


def tls_context(ca_file: str, cert_file: str, key_file: str) -> ssl.SSLContext:
    """A client's TLS: the system's CAs or that of `ca_file`; ConfigError where a file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        if cert_file:
            context.load_cert_chain(cert_file, key_file or None)
    except (OSError, ValueError) as e:
        raise ConfigError(
            f"hub.ca_file {ca_file!r}, hub.cert_file {cert_file!r}, hub.key_file {key_file!r}: {e}"
        ) from e
    return context
