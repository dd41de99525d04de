"""Whose address, host and origin a request has: what it says itself is believed of our own proxies alone."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from duco_rt.config import Web
from duco_rt.web.access.address import Addresses, frame_ancestors, host_name

PROXIES = ("10.0.0.0/8", "2001:db8::1")


def asked(*headers: tuple[str, str], remote: str = "192.0.2.7", scheme: str = "http") -> web.Request:
    """A request with these headers."""
    request = make_mocked_request("GET", "/", headers=CIMultiDict(headers))
    return request.clone(remote=remote, scheme=scheme)


ADDRESSES: dict[str, tuple[str, list[str], str]] = {
    "nobody between": ("192.0.2.7", [], "192.0.2.7"),
    "a header of its own": ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),
    "our proxy": ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
    "our proxy, and a header that was forged before": ("10.0.0.1", ["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
    "two of ours": ("10.0.0.1", ["203.0.113.9, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
    "in two headers": ("10.0.0.1", ["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
    "with a port": ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
    "IPv6": ("2001:db8::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
    "IPv4 in IPv6": ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
    "nonsense": ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
    "nothing": ("10.0.0.1", [" , "], "10.0.0.1"),
    "no address": ("unix:", ["198.51.100.1"], "unix:"),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_the_address(case: str) -> None:
    """That of the last one before our proxies."""
    remote, forwarded, expected = ADDRESSES[case]
    request = asked(*(("X-Forwarded-For", text) for text in forwarded), remote=remote)
    assert Addresses(Web(proxies=PROXIES)).of(request) == expected


PUBLIC = Web(auth="tokens", public_url="https://duco.example.com", proxies=PROXIES)
OPEN, TOKENS = Web(), Web(auth="tokens", proxies=PROXIES)

HOSTS: dict[str, tuple[Web, str, bool]] = {
    "this machine": (OPEN, "localhost:8080", True),
    "this machine in IPv6": (OPEN, "[::1]:8080", True),
    "a name that points here": (OPEN, "example.com:8080", False),
    "any name with authentication": (TOKENS, "example.com:8080", True),
    "the public name": (PUBLIC, "duco.example.com", True),
    "the public name as written": (PUBLIC, "DUCO.example.com:443", True),
    "another name": (PUBLIC, "example.com", False),
    "a name below it": (PUBLIC, "duco.example.com.evil.org", False),
    "this machine behind a public name": (PUBLIC, "127.0.0.1:8080", True),
    "nothing": (TOKENS, "", False),
    "no host": (TOKENS, "[bad", False),
    "a path": (TOKENS, "localhost/x", False),
    "a user": (OPEN, "localhost@localhost", False),
}


@pytest.mark.parametrize("case", HOSTS)
def test_hosts(case: str) -> None:
    """Which ones are this server."""
    config, host, expected = HOSTS[case]
    assert Addresses(config).is_own_host(asked(("Host", host))) == expected


def test_two_hosts_are_none() -> None:
    """Who reads the other one would be deceived."""
    request = asked(("Host", "localhost"), ("Host", "localhost"))
    assert not Addresses(OPEN).is_own_host(request) and host_name(request) == ""


ORIGINS: dict[str, tuple[Web, list[tuple[str, str]], str, bool]] = {
    "own": (TOKENS, [("Host", "a:8080")], "http://a:8080", True),
    "own, with the port left out": (TOKENS, [("Host", "a:80")], "http://a", True),
    "another port": (TOKENS, [("Host", "a:8080")], "http://a:8081", False),
    "another scheme": (TOKENS, [("Host", "a:8080")], "https://a:8080", False),
    "null": (TOKENS, [("Host", "a:8080")], "null", False),
    "a port that is none": (TOKENS, [("Host", "a:8080")], "http://a:99999", False),
    "a user": (TOKENS, [("Host", "a:8080")], "http://a:8080@b", False),
    "public": (PUBLIC, [("Host", "inside:8080")], "https://duco.example.com", True),
    "public with its port": (PUBLIC, [("Host", "inside:8080")], "https://duco.example.com:443", True),
    "of the same name without TLS": (PUBLIC, [("Host", "duco.example.com")], "http://duco.example.com", False),
    "this machine behind a public name": (PUBLIC, [("Host", "localhost:8080")], "http://localhost:8080", True),
    "https before us": (TOKENS, [("Host", "a"), ("X-Forwarded-Proto", "https")], "https://a", True),
    "http before us": (TOKENS, [("Host", "a"), ("X-Forwarded-Proto", "https")], "http://a", False),
}


@pytest.mark.parametrize("case", ORIGINS)
def test_origins(case: str) -> None:
    """Only our own page's."""
    config, headers, origin, expected = ORIGINS[case]
    assert Addresses(config).is_own_origin(asked(*headers, remote="10.0.0.1"), origin) == expected


def test_only_our_proxy_says_https() -> None:
    """Others could, too."""
    request = asked(("Host", "a"), ("X-Forwarded-Proto", "https"))
    assert not Addresses(TOKENS).is_own_origin(request, "https://a")
    assert Addresses(TOKENS).is_own_origin(asked(("Host", "a"), scheme="https"), "https://a")


def test_the_origin_that_browsers_use() -> None:
    """`web.public_url` where there is one, in one form."""
    request = asked(("Host", "a:8080"), ("X-Forwarded-Proto", "https"), remote="10.0.0.1")
    assert Addresses(TOKENS).origin(request) == "https://a:8080"
    for url, shown in (("https://Duco.example.com:443/", "https://duco.example.com"), ("http://[::1]:81", None)):
        assert Addresses(Web(auth="tokens", public_url=url)).origin(request) == (shown or url)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:8080", "http://localhost:* https://localhost:* http://127.0.0.1:* https://127.0.0.1:*"),
        ("duco.example.com", "http://duco.example.com:* https://duco.example.com:*"),
        ("[::1]:8080", ""),
        ("a;script-src *", ""),
        ("ä.example.com", ""),
        ("", ""),
    ],
)
def test_who_may_frame_the_page(host: str, expected: str) -> None:
    """Other ports of the same host, and nothing that somebody wrote into the header."""
    assert frame_ancestors(asked(("Host", host))) == f"frame-ancestors 'self' {expected}".strip()
