"""Viewers of the running server, as the tests of the live service have them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import ClientWebSocketResponse

from duco_rt.model import LastSeen, Peer, Sample
from tests.web.conftest import BASE, NOW_MS, Site

PEER = Peer("duco", "DUCO_001", "vehicle_can")
LIVE = f"{BASE}/DUCO_001/live?msgType=vehicle_can"
WITHIN_S = 20.0
QUIET_S = 0.05


@asynccontextmanager
async def viewing(
    site: Site, fields: Sequence[str] | None = None, path: str = LIVE, **options: object
) -> AsyncIterator[Any]:
    """A connected viewer, subscribed where it names fields."""
    async with site.session.ws_connect(path) as ws:
        if fields is not None:
            await watch(site, ws, fields, **options)
        yield ws


@asynccontextmanager
async def narrow(site: Site) -> AsyncIterator[aiohttp.ClientSession]:
    """A session whose sockets take little: a viewer that reads nothing is soon one whose connection is full."""

    def small(address: Any) -> socket.socket:
        family, kind, proto, _, _ = address
        made = socket.socket(family, kind, proto)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        return made

    connector = aiohttp.TCPConnector(socket_factory=small)
    async with aiohttp.ClientSession(site.url, connector=connector) as session:
        yield session


async def watch(site: Site, ws: ClientWebSocketResponse, fields: Sequence[str], **options: object) -> None:
    """Send a field list and wait until the server has acted on it, which it says with an ACK."""
    await ws.send_json({"type": "INIT_FIELD_LIST", "payload": list(fields), "ack": True, **options})
    assert (await receive(ws))["type"] == "ACK"


def pause(ws: ClientWebSocketResponse) -> None:
    """The viewer reads nothing from now on."""
    transport(ws).pause_reading()


def resume(ws: ClientWebSocketResponse) -> None:
    """The viewer reads again."""
    transport(ws).resume_reading()


def transport(ws: ClientWebSocketResponse) -> asyncio.Transport:
    """The client's own end."""
    connection = ws._response.connection
    assert connection is not None and connection.transport is not None
    return connection.transport


async def receive(ws: ClientWebSocketResponse) -> Any:
    """The next message."""
    return await asyncio.wait_for(ws.receive_json(), WITHIN_S)


async def receive_until(ws: ClientWebSocketResponse, seq: int) -> list[Any]:
    """The messages up to the LIVE_DATA of a position."""
    found: list[Any] = []
    while not found or found[-1]["type"] != "LIVE_DATA" or found[-1].get("seq") != seq:
        found.append(await receive(ws))
    return found


async def is_quiet(ws: ClientWebSocketResponse) -> bool:
    """Whether nothing comes."""
    try:
        await asyncio.wait_for(ws.receive(), QUIET_S)
    except TimeoutError:
        return True
    return False


async def closed(ws: ClientWebSocketResponse) -> int | None:
    """Read to the end: the code of the close."""
    async for _ in ws:
        pass
    return ws.close_code


def ts_of(seq: int) -> int:
    """When a position was, by the machine's clock: a second each."""
    return NOW_MS + seq * 1000


async def publish(site: Site, payload: dict[str, object], seq: int = 1, peer: Peer = PEER) -> None:
    """A sample as ingest publishes it."""
    message = {"payload": payload, "ts": ts_of(seq), "seq": seq, "received": NOW_MS}
    await site.live.publish(peer.channel, json.dumps(message).encode())


def store(site: Site, seqs: Sequence[int], field: str = "a", peer: Peer = PEER) -> None:
    """Samples in the store; each has its own position as value."""
    site.store.samples += [Sample(peer, ts_of(seq), seq, NOW_MS, {field: seq}) for seq in seqs]
    newest = max(seqs)
    site.store.seen[peer] = LastSeen(ts_of(newest), ts_of(newest) + 1000, newest, True, ts_of(newest) + 1000)


def age(site: Site, by_s: float, peer: Peer = PEER) -> None:
    """The newest sample of a watched machine came so much longer ago."""
    entries = site.service._peers[peer].stream.recent._entries
    entries[-1] = entries[-1]._replace(now_s=entries[-1].now_s - by_s)


async def becomes(site: Site, name: str, value: float, **labels: str) -> None:
    """Wait until a figure of the server has this value."""
    async with asyncio.timeout(WITHIN_S):
        while site.metrics.value(name, **labels) != value:
            await asyncio.sleep(0.005)


def shown(messages: Sequence[Any]) -> list[Any]:
    """In short: a sample's seq, a gap as (from, to, reason), a fill as -seq."""
    found: list[Any] = []
    for message in messages:
        match message["type"]:
            case "LIVE_DATA":
                found.append(message["seq"])
            case "GAP":
                found.append((message["from"], message["to"], message["reason"]))
            case "FILL":
                found.append(-message["seq"])
            case other:
                found.append(other)
    return found
