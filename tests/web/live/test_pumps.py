"""Viewers that lag: they get what they lack as they read, or are let go of, and cost the others nothing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientWebSocketResponse

from duco_rt.config import Web
from duco_rt.web.live import connection, pumps
from duco_rt.web.live.connection import Connection
from tests.web.conftest import Site
from tests.web.live.viewing import (
    LIVE,
    WITHIN_S,
    becomes,
    closed,
    narrow,
    pause,
    publish,
    receive,
    receive_until,
    resume,
    shown,
    viewing,
    watch,
)

pytestmark = pytest.mark.servers  # a web server of its own each

TEXT = "x" * 50_000


@pytest.fixture
def web() -> Web:
    """A viewer is let go of soon."""
    return Web(port=0, viewer_stall_s=0.4, viewer_queue_bytes_max=4096, messages_per_s_max=1000)


@pytest.fixture
def time_to_read_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is closed has as long to read why as a slow machine takes until then."""
    monkeypatch.setattr(connection, "_CLOSE_S", 20.0)


@asynccontextmanager
async def slow_and_quick(site: Site) -> AsyncIterator[tuple[ClientWebSocketResponse, ClientWebSocketResponse]]:
    """A viewer whose connection holds little, and one that reads all."""
    async with narrow(site) as session, session.ws_connect(LIVE) as slow, viewing(site, ["text"]) as quick:
        yield slow, quick


async def flood(site: Site, quick: ClientWebSocketResponse, first: int, count: int) -> int:
    """Publish so many large samples, each of which the quick viewer gets; gives the next position."""
    for seq in range(first, first + count):
        await publish(site, {"text": TEXT, "n": seq}, seq)
        assert shown([await receive(quick)]) == [seq]
    return first + count


async def test_a_viewer_that_reads_nothing_is_closed_with_1013_and_others_get_every_sample(
    site: Site, time_to_read_why: None
) -> None:
    """It is let go of though it takes no byte; one that reads again in time hears why."""
    await let_go_of(site)


def test_the_same_on_uvloop(tmp_path: Path, web: Web, time_to_read_why: None) -> None:
    """Its transports count what was written later, and raise once they are closed."""
    uvloop = pytest.importorskip("uvloop")

    async def run() -> None:
        async with Site(tmp_path, web).running() as site:
            await let_go_of(site)

    uvloop.run(run())


async def let_go_of(site: Site) -> None:
    """A viewer reads nothing until it is closed; another one gets all samples before, meanwhile and after."""
    async with slow_and_quick(site) as (slow, quick):
        await watch(site, slow, ["text"])
        pause(slow)
        seq = await flood(site, quick, 1, 40)
        await becomes(site, "live_overloaded_total", 1)
        seq = await flood(site, quick, seq, 10)
        resume(slow)
        assert await asyncio.wait_for(closed(slow), WITHIN_S) == 1013
        await becomes(site, "live_viewers", 1)
        await flood(site, quick, seq, 10)


async def test_a_viewer_that_stays_away_is_cut(site: Site) -> None:
    """Nothing of it is left at the server, though it never reads the close."""
    async with slow_and_quick(site) as (slow, quick):
        await watch(site, slow, ["text"])
        pause(slow)
        await flood(site, quick, 1, 40)
        await becomes(site, "live_viewers", 1)
        async with asyncio.timeout(WITHIN_S):
            while len(site.service._pumps):
                await asyncio.sleep(0.01)
        resume(slow)


async def test_one_that_reads_again_is_told_and_gets_the_newest_values(tmp_path: Path) -> None:
    """GAP slow over what it did not get, and one message that stands for all of it; then live."""
    site = Site(tmp_path, Web(port=0))
    async with site.running(), slow_and_quick(site) as (slow, quick):
        await watch(site, slow, ["text", "n", "once"], since=0)
        pause(slow)
        await publish(site, {"text": TEXT}, 1)
        assert shown([await receive(quick)]) == [1]
        await publish(site, {"text": TEXT, "n": 2}, 2)
        assert shown([await receive(quick)]) == [2]
        await publish(site, {"text": TEXT, "once": 7}, 3)
        assert shown([await receive(quick)]) == [3]
        end = await flood(site, quick, 4, 40)
        resume(slow)
        found = await receive_until(slow, end - 1)
        *before, gap, merged = found
        assert shown([*before, gap]) == [*range(1, gap["from"]), (gap["from"], end - 2, "slow")]
        assert merged["merged"] == end - gap["from"] and merged["payload"]["n"] == end - 1
        assert site.metrics.value("live_merged_total") == merged["merged"] - 1
        await flood(site, quick, end, 1)
        assert shown([await receive(slow)]) == [end]


async def test_a_slow_viewer_without_resume_sees_samples_only(tmp_path: Path) -> None:
    """No type and no key that it did not ask for: a step in `seq` tells it."""
    site = Site(tmp_path, Web(port=0))
    async with site.running(), slow_and_quick(site) as (slow, quick):
        await watch(site, slow, ["n", "text"])
        await flood(site, quick, 1, 1)
        assert shown([await receive(slow)]) == [1]
        pause(slow)
        end = await flood(site, quick, 2, 40)
        resume(slow)
        found = await receive_until(slow, end - 1)
        assert len(found) < 30
        assert {tuple(message) for message in found} == {("type", "payload", "ts", "seq")}


async def test_answers_to_one_that_does_not_read_are_bounded(site: Site) -> None:
    """A client that asks and asks and reads nothing is closed with 1013."""
    async with narrow(site) as session, session.ws_connect(LIVE) as slow:
        pause(slow)
        for _ in range(2000):
            await slow.send_str("?" * 300)
            if site.metrics.value("live_overloaded_total"):
                break
        await becomes(site, "live_overloaded_total", 1)
        resume(slow)
        assert await asyncio.wait_for(closed(slow), WITHIN_S) in (1013, 1006)


async def test_a_stalled_viewer_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """It takes no bytes: the server still ends within seconds."""
    site = Site(tmp_path, Web(port=0))
    async with site.running(), narrow(site) as session, session.ws_connect(LIVE) as slow:
        async with viewing(site, ["text"]) as quick:
            await watch(site, slow, ["text"])
            pause(slow)
            await flood(site, quick, 1, 20)
        await asyncio.wait_for(site.service.close(), 10)
        await becomes(site, "live_viewers", 0)
        resume(slow)


async def test_who_changes_its_list_while_a_sample_goes_out_misses_none(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the loop turns after each write: each sample once, and by the new list from its ACK on."""
    monkeypatch.setattr(pumps, "_WRITES_AT_ONCE", 1)
    async with AsyncExitStack() as stack:
        first, *_, last = [await stack.enter_async_context(viewing(site, ["a"])) for _ in range(8)]
        for seq in range(1, 100):
            await publish(site, {"a": seq, "b": -seq}, seq)
            wanted = ["b"] if seq % 2 else ["a"]
            await last.send_json({"type": "INIT_FIELD_LIST", "payload": wanted, "ack": True})
            assert shown([await receive(first)]) == [seq]  # the others' turn is still to come
        found = await receive_until(last, 99)
    assert [seq for seq in shown(found) if seq != "ACK"] == list(range(1, 100))
    fields = ["a"]
    for message in found:
        if message["type"] == "ACK":
            fields = message["payload"]["fields"]
        else:
            assert list(message["payload"]) == fields


async def test_who_falls_behind_while_a_sample_goes_out_gets_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hole and a sample go out together: who was full at the first of them, and is not when the second's turn comes,
    has had both by then.
    """
    monkeypatch.setattr(pumps, "_WRITES_AT_ONCE", 1)
    site = Site(tmp_path, Web(port=0))
    async with site.running(), AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(viewing(site, ["a"], since=0)) for _ in range(8)]
        await publish(site, {"a": 1}, 1)
        for ws in viewers:
            await receive_until(ws, 1)
        connection = next(iter(site.service._visits))
        answers = iter([1])  # full once
        monkeypatch.setattr(connection, "waiting_bytes", lambda: next(answers, 0))
        await publish(site, {"a": 3}, 3)
        assert shown(await receive_until(viewers[0], 3)) == [(2, 2, "missing"), 3]
        assert next(answers, None) is None
        await publish(site, {"a": 4}, 4)
        assert shown(await receive_until(viewers[0], 4)) == [4]


def held(before: list[Connection]) -> int:
    """Connections that somebody holds, but for those of before."""
    gc.collect()
    return sum(isinstance(each, Connection) and each not in before for each in gc.get_objects())


async def test_nothing_is_kept_of_who_left(site: Site) -> None:
    """Of a machine that says nothing, too."""
    before = [each for each in gc.get_objects() if isinstance(each, Connection)]  # other tests'
    async with viewing(site, ["a"]):
        await publish(site, {"a": 1})
        for _ in range(5):
            async with viewing(site, ["a"]):
                pass
        await becomes(site, "live_viewers", 1)
        async with asyncio.timeout(WITHIN_S):  # their handlers return a little later
            while held(before) != 1:
                await asyncio.sleep(0.01)


async def test_a_viewer_whose_frames_cannot_be_made_is_closed_with_1011(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It alone."""
    async with viewing(site, ["a"]) as other, viewing(site, ["a"]) as ws:
        stream = next(iter(site.service._peers.values())).stream
        take = stream.take
        monkeypatch.setattr(stream, "take", lambda *_: 1 / 0)
        await ws.send_json({"type": "INIT_FIELD_LIST", "payload": ["a"], "since": 1})
        assert await asyncio.wait_for(closed(ws), WITHIN_S) == 1011
        monkeypatch.setattr(stream, "take", take)
        assert site.metrics.value("live_failed_total", what="viewer") == 1
        await publish(site, {"a": 1})
        assert shown([await receive(other)]) == [1]
