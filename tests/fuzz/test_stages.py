"""Ingest, process and distribute under any messages: each is kept raw, the wrong counted, the next good one read."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.body import CAN_TYPE, JSON_TYPE
from duco_rt.model import VEHICLE_CAN, HubMessage
from tests.fuzz.messages import messages
from tests.pipeline.line import PEER, Line, message, running


def _second(payload: bytes) -> bytes:
    return b'{"version":1,"seconds":[{"ts":1,"seq":1,"payload":{' + payload + b"}}]}"


Run = Callable[[Awaitable[Any]], Any]

_MANY_S = 1_500


async def with_examples(fuzz: Callable[[Run], None]) -> None:
    """Run a test of hypothesis in a thread; what it is given runs a coroutine in this loop."""
    loop = asyncio.get_running_loop()

    async def awaited(work: Awaitable[Any]) -> Any:
        return await work

    await asyncio.to_thread(fuzz, lambda work: asyncio.run_coroutine_threadsafe(awaited(work), loop).result(60))


async def test_any_messages_and_then_a_good_one(tmp_path: Path) -> None:
    """None is lost, none ends a part, and none of what came before spoils the good one."""
    numbers = count(1_000_000, 10)

    async with running(tmp_path, limit_s=_MANY_S) as line:

        def fuzz(run: Run) -> None:
            @given(st.lists(messages(), min_size=1, max_size=8))
            def examples(bad: list[HubMessage]) -> None:
                run(_bad_then_good(line, bad, next(numbers)))

            examples()

        await with_examples(fuzz)
        assert line.problems("unread_body") and line.problems("unknown_msg_type")


async def _bad_then_good(line: Line, bad: list[HubMessage], seq: int) -> None:
    line.store.raw_rows.clear()
    line.store.samples.clear()
    live = await line.live.subscribe(PEER.channel)
    counted = line.problems("unread_body")
    sent = line.send(*bad, message(seq, rpm=777))
    await asyncio.gather(*sent)
    line.sent.clear()
    unread = [row for row in line.store.raw_rows if row.kind == "unread"]
    bodies = {each.body for each in bad}
    assert {row.body for row in unread} <= bodies
    assert line.problems("unread_body") - counted >= len(unread)
    assert len(line.store.raw_rows) > len(bad)  # each has a row at least, and so has the good one
    good = [sample for sample in line.store.samples if sample.seq == seq]
    assert [sample.payload for sample in good] == [{"rpm": 777}]
    async with asyncio.timeout(20):
        async for text in live:
            if msgspec.json.decode(text)["seq"] == seq:
                break
    assert not line.problems("live_failed", "ingest") and not line.problems("decode_failed")
    await cast(AsyncGenerator[bytes, None], live).aclose()  # as every adapter's can be


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "one long number": (JSON_TYPE, lambda: _second(b'"a":' + b"9" * 10_000_000)),
    "seconds of nothing": (CAN_TYPE, lambda: b"DUCO\1\0\xff\xff" + bytes(48 * 65_535)),
    "spaces": (JSON_TYPE, lambda: b" " * 60_000_000),
}
LARGER: dict[str, tuple[str, Callable[[], bytes]]] = {
    "brackets": (JSON_TYPE, lambda: b'{"version":1,"seconds":[' + b"[" * 60_000_000),
    "one member again and again": (JSON_TYPE, lambda: _second(b'"a":1,' * 5_000_000 + b'"a":1')),
    "one long text": (JSON_TYPE, lambda: _second(b'"a":"' + b"x" * 30_000_000 + b'"')),
    "zeros": (CAN_TYPE, lambda: b"DUCO\1\0\1\0" + bytes(60_000_000)),
    "more than may be": (CAN_TYPE, lambda: b"DUCO\1\0\1\0" + bytes(70_000_000)),
}


@pytest.mark.parametrize("bomb", [*BOMBS, *(pytest.param(name, marks=pytest.mark.long) for name in LARGER)])
async def test_a_bomb_and_then_a_good_one(tmp_path: Path, bomb: str) -> None:
    """A small message that becomes a large one: kept as it came, or read, and the next one's turn comes."""
    content_type, inflated = (BOMBS | LARGER)[bomb]
    body = zlib.compress(inflated())
    assert len(body) < 256 * 1024
    bad = HubMessage("DUCO_001", VEHICLE_CAN, True, 1, 1, content_type, "deflate", body)
    async with running(tmp_path) as line:
        await _bad_then_good(line, [bad], 1_000)
