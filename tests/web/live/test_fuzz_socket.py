"""What no client of ours would send: mangled frames and mangled messages, against the running server.

Whatever comes, the server answers or ends that one connection; nothing is left of it, and the others go on.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psutil
import pytest
import structlog

from duco_rt.config import Web
from tests.web.conftest import Site
from tests.web.live.viewing import LIVE, becomes, publish, receive, viewing

pytestmark = pytest.mark.servers  # a web server of its own each

WEB = Web(port=0, message_bytes_max=4096, messages_per_s_max=1e9, messages_user_per_s_max=1e9)
"""Nobody waits: what is fuzzed is what is done with a message."""

GROWTH_OBJECTS_MAX, GROWTH_BYTES_MAX = 3_000, 30_000_000
_A_CONNECTION = 25
_WITHIN_S = 20.0
_COUNTED = "web_connections", "live_viewers"

TYPES = ("INIT_FIELD_LIST", "ADD_FIELDS", "REMOVE_FIELDS", "STATUS", "LIVE_DATA", "init_field_list", "", "\0")
OPTIONS = ("stats", "since", "history", "last", "max_hz", "on_change", "ack", "every_s", "payload", "type", "viewerId")
TEXTS = (
    "speed",
    "",
    "*",
    "**",
    "s*d",
    "a" * 300,
    "\ud800",
    "\U0001f600",
    "ä\u202e",
    "\0",
    "__proto__",
    "{}",
    "x" * 2000,
)
OFFERS = "Protocol: duco.msgpack", "Extensions: permessage-deflate"
NUMBERS = (0, -1, 1, 60, 0.5, -0.0, 1e308, 5e-324, 2**63, -(2**63), 2**64, 10**300, float("nan"), float("inf"))


def value(rng: random.Random, depth: int = 0) -> Any:
    """Anything that JSON can say, and some that it cannot."""
    kind = rng.randrange(7 if depth < 4 else 4)
    if kind < 2:
        return rng.choice(TEXTS)
    if kind < 4:
        return rng.choice((*NUMBERS, True, False, None))
    if kind == 4:
        return {rng.choice((*OPTIONS, *TEXTS)): value(rng, depth + 1) for _ in range(rng.randrange(4))}
    if kind == 5 and rng.random() < 0.1:
        return [rng.choice(("a", "a*", 1))] * rng.choice((70, 1100))
    return [value(rng, depth + 1) for _ in range(rng.randrange(4))]


def said(rng: random.Random) -> dict[str, Any]:
    """A message that is near to one of ours."""
    found: dict[str, Any] = {"type": rng.choice(TYPES), "payload": [rng.choice(TEXTS) for _ in range(rng.randrange(4))]}
    for _ in range(rng.randrange(4)):
        found[rng.choice(OPTIONS)] = rng.choice((value(rng), rng.choice((60, 1, True, ["min"], 10))))
    return found


def mangled(rng: random.Random, text: bytes) -> bytes:
    """Bytes with some of them changed, gone, or there twice."""
    found = bytearray(text)
    for _ in range(rng.choice((0, 0, 1, 3, 10))):
        at = rng.randrange(len(found) + 1)
        match rng.randrange(4):
            case 0:
                found[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del found[at : at + rng.randrange(8)]
            case 2:
                found[at:at] = found[at : at + 20]
            case _:
                found[at:at] = rng.choice((b'"', b"[" * 500, b"{", b"\xff", b"\x00", b"\\ud800", b"1e999", b"\xc1\x91"))
    return bytes(found)


def content(rng: random.Random) -> tuple[int, bytes]:
    """An opcode and what it carries."""
    if rng.random() < 0.05:
        return rng.choice(((1, b'{"type":' + b"[" * 3000), (2, b"\x91" * 3000), (1, b"x" * 5000), (1, b"")))
    message = said(rng)
    if rng.random() < 0.5:
        return 1, mangled(rng, json.dumps(message).encode())
    with suppress(Exception):  # MessagePack has no such number, or text
        return rng.choice((1, 2)), mangled(rng, msgspec.msgpack.encode(message))
    return 2, rng.randbytes(rng.randrange(40))


def frame(opcode: int, text: bytes, *, first: int = 0x80, mask: bytes | None = b"\0\0\0\0", length: int = -1) -> bytes:
    """A frame; `first`: its upper bits, `length`: what it says to have."""
    size, masked = len(text) if length < 0 else length, 0x80 if mask is not None else 0
    if size < 126:
        head = bytes([first | opcode, masked | size])
    elif size < 65_536:
        head = bytes([first | opcode, masked | 126]) + struct.pack(">H", size)
    else:
        head = bytes([first | opcode, masked | 127]) + struct.pack(">Q", size)
    if mask is None:
        return head + text
    key = (mask * (len(text) // 4 + 1))[: len(text)]
    masked_text = int.from_bytes(text, "big") ^ int.from_bytes(key, "big")
    return head + mask + masked_text.to_bytes(len(text), "big")


def frames(rng: random.Random) -> bytes:
    """A message in frames, most often as it should be."""
    opcode, text = content(rng)
    kinds: list[Callable[[], bytes]] = [
        lambda: frame(opcode, text, mask=rng.randbytes(4)),
        lambda: frame(opcode, text[:5], first=0) + frame(9, b"ping") + frame(0, text[5:]),
        lambda: frame(rng.choice((3, 7, 11, 15)), text[:100]),
        lambda: frame(opcode, text, first=rng.choice((0xC0, 0xA0, 0x90, 0xF0))),
        lambda: frame(opcode, zlib.compress(text)[2:-4], first=0xC0),
        lambda: frame(opcode, text, length=rng.choice((2**31, 2**63 - 1, 2**63, 2**64 - 1, 65_536))),
        lambda: frame(opcode, text)[: rng.randrange(6)],
        lambda: frame(rng.choice((8, 9, 10)), text[: rng.choice((0, 1, 2, 125, 126))], first=rng.choice((0, 0x80))),
        lambda: frame(8, rng.choice((b"\x03\xe8", b"\x00\x00", b"\x03\xed", b"\x13\x88\xff", b"\x03"))),
        lambda: frame(0, text),
        lambda: frame(opcode, text, mask=None),
        lambda: frame(1, b"", first=0) + frame(0, b"", first=0) * 200 + frame(0, text),
        lambda: frame(1, text, first=0) + frame(1, text),
        lambda: rng.randbytes(rng.randrange(200)),
    ]
    return rng.choice(kinds)() if rng.random() < 0.05 else kinds[0]()


class Fuzzer:
    """One client after the other, each with so many messages, or until the server ends it."""

    def __init__(self, site: Site, rng: random.Random) -> None:
        self._site, self._rng = site, rng
        self.sent = self.cut = 0

    async def run(self, messages: int) -> None:
        """At least so many."""
        while self.sent < messages:
            await self._client()

    async def _client(self) -> None:
        rng = self._rng
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self._site.url.rpartition(":")[2]))
        try:
            more = rng.choice(("", *(f"Sec-WebSocket-{each}\r\n" for each in OFFERS)))
            writer.write(
                f"GET {LIVE} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n".encode()
            )
            async with asyncio.timeout(_WITHIN_S):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
                await asyncio.gather(reader.read(), self._say(writer))
        except (ConnectionError, RuntimeError):  # in the middle of what was sent; asyncio's word for it varies
            self.cut += 1
        finally:
            writer.transport.abort()

    async def _say(self, writer: asyncio.StreamWriter) -> None:
        for _ in range(_A_CONNECTION):
            if writer.is_closing():
                return
            self.sent += 1
            writer.write(frames(self._rng))
            await writer.drain()
            await asyncio.sleep(0)
        if self._rng.random() < 0.5:
            writer.write(frame(8, b"\x03\xe8"))
        writer.write_eof()


@asynccontextmanager
async def nothing_fails(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """No exception is left to the loop, none is logged, and no error is."""
    left: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: left.append(context))
    try:
        with structlog.testing.capture_logs() as lines:
            yield
    finally:
        loop.set_exception_handler(None)
    assert left == []
    assert [line for line in lines if line["log_level"] in ("error", "critical") or "exc_info" in line] == []
    assert [each for each in caplog.records if each.levelno >= logging.ERROR or each.exc_info] == []


async def fuzz(site: Site, messages: int, seed: int) -> None:
    """Fuzz with a viewer beside it, that gets each sample; nothing grows, and nothing is left."""
    fuzzer = Fuzzer(site, random.Random(seed))
    async with viewing(site, ["speed"]) as viewer:
        await fuzzer.run(300)  # what is made once is there
        before = await _settled(site)
        for seq in range(1, 11):
            await fuzzer.run(fuzzer.sent + messages // 10)
            await publish(site, {"speed": seq}, seq)
            while (message := await receive(viewer))["seq"] != seq:
                pass
            assert message["payload"] == {"speed": seq}
        after = await _settled(site, before[2] + 2)
    assert after[0] - before[0] < GROWTH_OBJECTS_MAX and after[1] - before[1] < GROWTH_BYTES_MAX
    assert after[2] <= before[2] + 2
    assert site.metrics.value("live_failed_total", what="viewer") == 0
    assert fuzzer.cut < fuzzer.sent


async def _settled(site: Site, tasks_max: int | None = None) -> tuple[int, int, int]:
    """Objects and bytes that this process holds and tasks that run, once the fuzzer's last connection is gone."""
    await becomes(site, "live_viewers", 1)
    async with asyncio.timeout(_WITHIN_S):
        while site.metrics.value("web_connections") > 1:
            await asyncio.sleep(0.01)
        while tasks_max is not None and len(asyncio.all_tasks()) > tasks_max:  # they outlive a connection a little
            await asyncio.sleep(0.01)
    gc.collect()
    return len(gc.get_objects()), psutil.Process().memory_info().rss, len(asyncio.all_tasks())


@pytest.mark.parametrize("seed", [1])
async def test_mangled_messages(tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: int) -> None:
    """Some thousands of them."""
    await _run(tmp_path, caplog, 5_000, seed)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 6))
async def test_many_mangled_messages(tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: int) -> None:
    """A hundred thousand in all."""
    await _run(tmp_path, caplog, 25_000, seed)


async def _run(folder: Path, caplog: pytest.LogCaptureFixture, messages: int, seed: int) -> None:
    async with Site(folder, WEB).running() as site, nothing_fails(caplog):
        await fuzz(site, messages, seed)
        for gauge in _COUNTED:
            await becomes(site, gauge, 0)
        async with aiohttp.ClientSession(site.url) as http, http.get("/healthz") as response:
            assert response.status == 200
