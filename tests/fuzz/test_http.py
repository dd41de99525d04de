"""Requests that two programs could read differently (smuggling), and heads that are none: one error, then the end."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from duco_rt.config import Web
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.access.slow_clients import Connection, Connections
from duco_rt.web.server import listen
from tests.web.conftest import Site

SECOND = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def post(*headers: str, body: str = "") -> bytes:
    """A request with headers of its own, and one more behind it."""
    lines = ["POST /api/metaapi/tokens HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
    return ("\r\n".join(lines) + body + SECOND).encode("latin-1")


AMBIGUOUS: dict[str, bytes] = {
    "both lengths": post("Content-Length: 5", "Transfer-Encoding: chunked", body="0\r\n\r\n"),
    "two lengths": post("Content-Length: 0", "Content-Length: 5", body="hello"),
    "a list of lengths": post("Content-Length: 0, 5", body="hello"),
    "a signed length": post("Content-Length: +5", body="hello"),
    "a negative length": post("Content-Length: -1"),
    "a length in hexadecimal": post("Content-Length: 0x5", body="hello"),
    "a length with a space in it": post("Content-Length: 1 0", body="hello"),
    "another coding": post("Transfer-Encoding: xchunked", body="0\r\n\r\n"),
    "chunked is not last": post("Transfer-Encoding: chunked, identity", body="0\r\n\r\n"),
    "a space before the colon": post("Content-Length : 5", body="hello"),
    "a folded header": post("X: a\r\n b", "Content-Length: 0"),
    "a header of another line end": post("X: a\nContent-Length: 5", body="hello"),
    "a lone carriage return": post("X: a\rContent-Length: 5", body="hello"),
    "a zero byte": post("X: a\0b"),
    "a chunk of no number": post("Transfer-Encoding: chunked", body="zz\r\nhello\r\n0\r\n\r\n"),
    "a chunk with a sign": post("Transfer-Encoding: chunked", body="+5\r\nhello\r\n0\r\n\r\n"),
    "a chunk of another line end": post("Transfer-Encoding: chunked", body="5\nhello\n0\n\n"),
    "a chunk without end": post("Transfer-Encoding: chunked", body="ffffffffffffffffff\r\nhello"),
    "no method": b" / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "no version": b"GET /healthz\r\n\r\n",
    "a version of none": b"GET /healthz HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
}


@pytest.mark.parametrize("case", AMBIGUOUS)
async def test_one_error_and_the_end(site: Site, case: str) -> None:
    """What is behind such a request is never answered as one of its own."""
    address = urlsplit(site.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(AMBIGUOUS[case])
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    statuses = re.findall(rb"HTTP/\d\.\d (\d\d\d)", answer)
    code = b"http_version_not_supported" if case == "no version" else b"bad_request"
    assert statuses == [b"505" if case == "no version" else b"400"], answer
    assert b'{"error": {"code": "%s"' % code in answer and b"Traceback" not in answer
    assert (await site.ask("GET", "/healthz"))[0] == 200


async def test_a_client_that_is_gone_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """aiohttp says a traceback where somebody goes away between an answer and the rest of a body; a mistake still is
    told."""

    async def nobody(_: web.BaseRequest) -> web.StreamResponse:
        raise web.HTTPNotFound

    config = Web(port=0)
    connections = Connections(config, Metrics())
    with listen(config) as listening:
        accepting = connections.accept(listening, web.Server(nobody))
        connection = connections.begin("127.0.0.1")
        assert isinstance(connection, Connection)
        connection.log_exception("Unhandled exception", exc_info=RuntimeError("Connection closed."))
        assert not caplog.records
        connection.log_exception("Unhandled exception", exc_info=KeyError("a mistake"))
        assert len(caplog.records) == 1
        accepting.close()
