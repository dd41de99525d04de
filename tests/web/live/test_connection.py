"""One viewer's WebSocket: encodings as the client asks for them, finished frames, and its end."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import msgspec
import pytest
from aiohttp import WSMsgType, hdrs

from duco_rt.config import Web
from duco_rt.web.live import connection
from duco_rt.web.live.connection import MSGPACK, accepted_offer
from tests.web.conftest import NOW_MS, Site
from tests.web.live.viewing import LIVE, WITHIN_S, becomes, publish, receive, viewing, watch

TEXT = "a text that is long enough to be worth some compression, " * 20
OWN = "server_no_context_takeover"

OFFERS = {
    "": None,
    "permessage-deflate": f"permessage-deflate; {OWN}",
    "permessage-deflate; client_max_window_bits": f"permessage-deflate; {OWN}; client_max_window_bits",
    f"permessage-deflate; {OWN}; client_no_context_takeover": f"permessage-deflate; {OWN}; client_no_context_takeover",
    "permessage-deflate;server_max_window_bits=12": f"permessage-deflate; {OWN}; server_max_window_bits=12",
    "permessage-deflate; server_max_window_bits=10": None,
    "permessage-deflate; server_max_window_bits=10, permessage-deflate": f"permessage-deflate; {OWN}",
    "permessage-deflate; server_max_window_bits": None,
    "permessage-deflate; client_max_window_bits=99": None,
    "permessage-deflate; mystery": None,
    "permessage-bzip2, x-webkit-deflate-frame": None,
}


@pytest.mark.parametrize("offered", OFFERS)
def test_an_offer_is_met_or_left(offered: str) -> None:
    """Never with context over messages, nor with a window smaller than the frames have."""
    assert accepted_offer(offered) == OFFERS[offered]


async def test_compression_is_for_who_asks(site: Site) -> None:
    """The same message, in fewer bytes; a client that does not ask sees no difference."""
    async with site.session.ws_connect(LIVE, compress=15) as small, viewing(site, ["text"]) as plain:
        assert OWN in small._response.headers[hdrs.SEC_WEBSOCKET_EXTENSIONS]
        assert hdrs.SEC_WEBSOCKET_EXTENSIONS not in plain._response.headers
        await watch(site, small, ["text"])  # compressed by the client
        for seq in (1, 2, 3):
            await publish(site, {"text": TEXT}, seq)
            wanted = {"type": "LIVE_DATA", "payload": {"text": TEXT}, "ts": NOW_MS + seq * 1000, "seq": seq}
            assert await receive(small) == await receive(plain) == wanted


async def test_a_window_that_is_too_small_is_declined(site: Site) -> None:
    """The connection is made without compression."""
    headers = {hdrs.SEC_WEBSOCKET_EXTENSIONS: "permessage-deflate; server_max_window_bits=9"}
    async with site.session.ws_connect(LIVE, headers=headers) as ws:
        assert hdrs.SEC_WEBSOCKET_EXTENSIONS not in ws._response.headers
        await watch(site, ws, ["text"])
        await publish(site, {"text": TEXT}, 1)
        assert (await receive(ws))["payload"] == {"text": TEXT}


@pytest.mark.parametrize("compress", [0, 15])
async def test_messagepack_by_subprotocol(site: Site, compress: int) -> None:
    """Every message is a binary frame with the same keys; the client may write either."""
    await site.parsings.get("DUCO_001")  # read before: an ACK does not wait for it longer than two seconds
    async with site.session.ws_connect(LIVE, protocols=(MSGPACK,), compress=compress) as ws:
        assert ws.protocol == MSGPACK

        async def read() -> object:
            message = await asyncio.wait_for(ws.receive(), WITHIN_S)
            assert message.type is WSMsgType.BINARY
            return msgspec.msgpack.decode(message.data)

        wish = {"type": "INIT_FIELD_LIST", "payload": ["speed", "text"], "ack": True}
        await ws.send_bytes(msgspec.msgpack.encode(wish))
        unknown = {"fields": ["speed", "text"], "unknown": ["text"]}
        assert await read() == {"type": "ACK", "payload": unknown}
        await ws.send_str(msgspec.json.encode({"type": "ADD_FIELDS", "payload": [], "ack": True}).decode())
        assert await read() == {"type": "ACK", "payload": unknown}
        await publish(site, {"speed": 12.5, "text": TEXT}, 1)
        payload = {"speed": 12.5, "text": TEXT}
        assert await read() == {"type": "LIVE_DATA", "payload": payload, "ts": NOW_MS + 1000, "seq": 1}


async def test_an_unknown_subprotocol_is_left(site: Site) -> None:
    """The connection speaks JSON."""
    async with site.session.ws_connect(LIVE, protocols=("mystery",)) as ws:
        assert ws.protocol is None
        await watch(site, ws, ["a"])


@asynccontextmanager
async def raw(site: Site, extensions: str = "") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection of a client that is nothing but a socket, behind its handshake."""
    host, _, port = site.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET {LIVE} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    lines += [f"Sec-WebSocket-Extensions: {extensions}"] if extensions else []
    writer.write("\r\n".join([*lines, "", ""]).encode())
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    yield reader, writer
    writer.close()


def masked(text: bytes) -> bytes:
    """A client's text frame of up to 125 bytes, with a mask of zeros."""
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


@pytest.mark.parametrize("extensions", ["", "permessage-deflate"])
async def test_viewers_of_a_list_get_the_very_same_bytes(site: Site, extensions: str) -> None:
    """Frames are finished once: two sockets read the same, compressed or not."""
    wish = b'{"type":"INIT_FIELD_LIST","payload":["text"],"ack":true}'
    async with raw(site, extensions) as (one, to_one), raw(site, extensions) as (other, to_other):
        for reader, writer in ((one, to_one), (other, to_other)):
            writer.write(masked(wish))
            head = await asyncio.wait_for(reader.readexactly(2), WITHIN_S)
            assert head[0] == 0x81 and b"ACK" in await reader.readexactly(head[1])
        await publish(site, {"text": TEXT}, 1)
        frames = []
        for reader in (one, other):
            head = await asyncio.wait_for(reader.readexactly(4), WITHIN_S)
            frames.append(head + await reader.readexactly(int.from_bytes(head[2:])))
        assert frames[0] == frames[1]
        assert frames[0][0] == (0xC1 if extensions else 0x81)
        assert (len(frames[0]) < 300) is bool(extensions)


async def test_a_client_that_vanishes_leaves_nothing(site: Site) -> None:
    """In the middle of a message, or of a sample that is on its way to it."""
    async with raw(site) as (_, writer):
        writer.write(masked(b'{"type":"INIT_FIELD_LIST","payload":["text"]}') + b"\x81\xfe")
        async with asyncio.timeout(WITHIN_S):
            while not site.metrics.value("live_peers"):
                await asyncio.sleep(0.005)
        for seq in range(1, 20):
            await publish(site, {"text": TEXT * 100}, seq)
        writer.transport.abort()
        await publish(site, {"text": TEXT * 100}, 20)
        async with asyncio.timeout(WITHIN_S):
            while site.metrics.value("live_viewers") or len(site.service._pumps):
                await asyncio.sleep(0.005)


async def test_who_was_killed_before_it_was_heard_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had said stands before its end, megabytes that are read slowly; it is gone all the same."""
    monkeypatch.setattr(connection, "_PROBE_S", 0.05)
    site = Site(tmp_path, Web(port=0, messages_per_s_max=5))
    said = memoryview(masked(b'{"type":"INIT_FIELD_LIST","payload":["text"]}') * 1000)
    async with site.running(), raw(site) as (_, writer):
        with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as client:
            cast(asyncio.Transport, writer.transport).pause_reading()
            at, stuck = 0, 0
            while stuck < 50:  # until its own system and the server's hold all they can
                try:
                    at, stuck = (at + client.send(said[at:])) % len(said), 0
                except BlockingIOError:
                    stuck += 1
                await asyncio.sleep(0.005)
            with suppress(BlockingIOError):
                while client.recv(65_536):  # with something unread its system would tell at once
                    pass
            assert site.metrics.value("live_viewers") == 1
            writer.transport.abort()
        await becomes(site, "live_viewers", 0)
