"""TLS: the server's own certificate, and whom a client trusts."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import aiohttp

from duco_rt.config import Config, Web
from duco_rt.config.web import is_tls as is_tls  # for who asks about TLS
from duco_rt.errors import ConfigError


def server_context(config: Web) -> ssl.SSLContext | None:
    """What `web.cert_file` and `web.key_file` ask for, TLS 1.2 and later; None without them. Raises ConfigError."""
    if not config.cert_file and not config.key_file:
        return None
    for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if not getattr(config, key):
            raise ConfigError(f"web.{key} = '': web.{other} is set, and TLS needs both")
    for key in ("cert_file", "key_file"):
        _readable(f"web.{key}", getattr(config, key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    leaf_sha256(config)
    try:
        context.load_cert_chain(config.cert_file, config.key_file, password=_no_password)
    except ssl.SSLError as e:
        if e.reason == "KEY_VALUES_MISMATCH":
            words = f"it is not the key of web.cert_file = {config.cert_file!r}"
        else:
            words = f"no private key in PEM without a password ({e.reason or e})"
        raise ConfigError(f"web.key_file = {config.key_file!r}: {words}") from e
    return context


def check_certificates(config: Config) -> None:
    """Raise ConfigError where a certificate's file that the configuration names cannot be used."""
    server_context(config.web)
    for name in ("hub", "log", "live", "leases", "store", "meta"):
        if ca_file := getattr(config, name).ca_file:
            client_context(ca_file, f"{name}.ca_file")


def leaf_sha256(config: Web) -> str:
    """SHA-256 of the server's own certificate (DER), in hex; empty without one. Raises ConfigError."""
    if not config.cert_file:
        return ""
    text = _readable("web.cert_file", config.cert_file)
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    pem = begin + text.partition(begin)[2].partition(end)[0] + end
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)  # it can be read
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    except (ValueError, ssl.SSLError) as e:
        raise ConfigError(f"web.cert_file = {config.cert_file!r}: no certificate in PEM") from e


def client_context(ca_file: str, key: str) -> ssl.SSLContext:
    """Who is trusted as a server: those of `ca_file`, which `key` names in errors; the system's where it is empty."""
    if ca_file:
        _readable(key, ca_file)
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except ssl.SSLError as e:
        raise ConfigError(f"{key} = {ca_file!r}: no certificates in PEM ({e.reason or e})") from e
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def pinned(sha256: str) -> aiohttp.Fingerprint | bool:
    """The one certificate that is trusted, by its SHA-256 in hex, as aiohttp takes it; empty: as usual."""
    return aiohttp.Fingerprint(bytes.fromhex(sha256)) if sha256 else True


def _readable(key: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii", errors="replace")
    except OSError as e:
        raise ConfigError(f"{key} = {file!r}: {e.strerror}") from e


def _no_password() -> str:
    """OpenSSL would ask on the terminal; a start must not wait there."""
    return ""
