"""Whom the server may be open to: what is refused, and what is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from duco_rt import app
from duco_rt.config import Config
from duco_rt.config.load import load_config
from duco_rt.config.web import is_loopback, web_warnings
from duco_rt.errors import ConfigError

OPEN = ("web.host=0.0.0.0", "web.auth=tokens")
OIDC = ("web.auth=oidc", "web.oidc_issuer=https://login.example", "web.oidc_client_id=duco")
REMOTE = ("meta.kind=http", "app.roles=['studio']")


def load(*settings: str, **environ: str) -> Config:
    """A configuration of these settings alone."""
    return load_config(overrides=settings, environ=environ)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a config.toml."""
    monkeypatch.chdir(tmp_path)


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "open to all without authentication": (
        ("web.host=0.0.0.0",),
        "web.host = '0.0.0.0': without authentication only 127.0.0.1, localhost or ::1 can be served; set"
        ' web.auth = "tokens" (or "oidc"), and web.cert_file and web.key_file for TLS',
    ),
    "a certificate without its key": (("web.cert_file=c.pem",), "web.key_file = '': web.cert_file is set"),
    "a key without its certificate": (("web.key_file=k.pem",), "web.cert_file = '': web.key_file is set"),
    "a public address with a path": (("web.public_url=https://a.b/duco",), "web.public_url = 'https://a.b/duco': exp"),
    "with a slash": (("web.public_url=https://a.b/",), "web.public_url = 'https://a.b/': expected https://HOST"),
    "with a user": (("web.public_url=https://u:p@a.b",), "web.public_url"),
    "without a scheme": (("web.public_url=a.b",), "web.public_url = 'a.b': expected https://HOST"),
    "of another scheme": (("web.public_url=ftp://a.b",), "web.public_url = 'ftp://a.b': expected https://HOST"),
    "with a bad port": (("web.public_url=https://a.b:x",), "web.public_url = 'https://a.b:x': Port"),
    "with half an address": (("web.public_url=https://[::1",), "web.public_url = 'https://[::1': Invalid"),
    "a proxy's name": (("web.proxies=['nginx']",), "web.proxies: 'nginx': expected an address or a network"),
    "a proxy's wrong network": (("web.proxies=['10.0.0.0/33']",), "web.proxies: '10.0.0.0/33'"),
    "no issuer": (("web.auth=oidc", "web.oidc_client_id=duco"), "web.oidc_issuer = '': web.auth = \"oidc\" needs it"),
    "no client": (OIDC[:2], "web.oidc_client_id = '': web.auth = \"oidc\" needs it"),
    "an issuer in plain text": (
        (*OIDC, "web.oidc_issuer=http://login.example"),
        "web.oidc_issuer = 'http://login.example': https:// is needed",
    ),
    "no token for MetaAPI": (
        (*REMOTE, "meta.url=http://127.0.0.1:1", "web.auth=tokens"),
        "meta.token = '': web.auth = 'tokens' with meta.kind = 'http' needs one: set DUCO_META__TOKEN or "
        "meta.token_file to a secret that MetaAPI's process has as well (or to a token of it: python -m duco_rt token "
        "add NAME --tenant '*' --role service)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_refused(case: str) -> None:
    """The key, its value, and what to set."""
    settings, said = WRONG[case]
    with pytest.raises(ConfigError, match=re.escape(said)):
        load(*settings)


def test_a_short_secret() -> None:
    """Is refused, and not shown."""
    with pytest.raises(ConfigError, match="16 characters at least, 5 given") as caught:
        load(DUCO_WEB__MONITOR_TOKEN="guess")
    assert "guess" not in str(caught.value)
    assert load(DUCO_WEB__MONITOR_TOKEN="x" * 16).web.monitor_token
    with pytest.raises(ConfigError, match="32 characters at least, 31 given") as caught:
        load(DUCO_META__TOKEN="guess" + "x" * 26)
    assert "guess" not in str(caught.value)


GOOD: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "as it comes": ((), []),
    "tokens on this machine": (("web.auth=tokens",), []),
    "open, in plain text": (OPEN, ["web.host"]),
    "open, in plain text, with sign-in": (("web.host=10.0.0.1", *OIDC), ["web.host"]),
    "open behind a proxy's TLS": ((*OPEN, "web.public_url=https://duco.example:8443", "web.proxies=['::1']"), []),
    "open behind a proxy that is not named": ((*OPEN, "web.public_url=https://duco.example"), ["web.public_url"]),
    "a certificate and a public name": (
        (*OPEN, "web.public_url=https://d.example", "web.cert_file=c.pem", "web.key_file=k.pem"),
        [],
    ),
    "open behind a proxy without": ((*OPEN, "web.public_url=http://duco.example"), ["web.host"]),
    "an issuer on this machine": ((*OIDC, "web.oidc_issuer=http://127.0.0.1:9"), []),
    "a network of proxies": (("web.proxies=['10.0.0.0/8','fd00::/8','192.168.1.7/24']",), []),
    "MetaAPI on this machine": ((*REMOTE, "meta.url=http://127.0.0.1:1"), []),
    "MetaAPI elsewhere": ((*REMOTE, "meta.url=https://meta.example", "web.auth=tokens"), []),
    "MetaAPI elsewhere, in plain text": ((*REMOTE, "meta.url=http://meta.example", "web.auth=tokens"), ["meta.url"]),
    "devices alone": (("app.roles=['device']", "meta.kind=http", "meta.url=http://m.example", "web.auth=tokens"), []),
}


@pytest.mark.parametrize("case", GOOD)
def test_what_is_told(case: str) -> None:
    """What goes in plain text to other machines, and nothing else; never the token itself."""
    settings, keys = GOOD[case]
    environ = {} if "MetaAPI elsewhere" not in case else {"DUCO_META__TOKEN": "s" * 40}
    warnings = web_warnings(load(*settings, **environ))
    assert [text.split(" ")[0] for text in warnings] == keys
    assert "s" * 40 not in "".join(warnings)


def test_files_are_looked_at_before_anything_starts() -> None:
    """`check` and the start name the file."""
    with pytest.raises(ConfigError, match=r"web\.cert_file = 'gone\.pem': No such file"):
        app.check(load("web.cert_file=gone.pem", "web.key_file=gone.key"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("", False), ("10.0.0.1", False)],
)
def test_what_is_this_machine(host: str, expected: bool) -> None:
    """By name or address."""
    assert is_loopback(host) is expected
