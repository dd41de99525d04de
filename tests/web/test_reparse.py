"""`POST /api/reparse`: a line at a time, errors as everywhere, a client that goes away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from duco_rt.config import Web
from duco_rt.pipeline.reparse_note import NoteFile
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.health import Health
from duco_rt.web.reparse import ReparseApi
from duco_rt.web.server import Server, listen, routes
from tests.can_seconds import TS_MS
from tests.pipeline.again import AgainStore, can_rows, reparses
from tests.pipeline.line import AwayMeta, open_meta
from tests.web.conftest import is_error

pytestmark = pytest.mark.servers

BODY: dict[str, Any] = {"device": "DUCO_001", "from": TS_MS, "to": str(TS_MS + 199_000)}


class Place:
    """A server that has the endpoint, and what is behind it."""

    def __init__(self, session: aiohttp.ClientSession, store: AgainStore, meta: AwayMeta, api: ReparseApi) -> None:
        self.session = session
        self.store = store
        self.meta = meta
        self.api = api

    async def lines(self, **changes: object) -> list[dict[str, Any]]:
        """The answer's lines."""
        async with self.session.post("/api/reparse", json={**BODY, **changes}) as response:
            assert response.status == 200, await response.text()
            assert response.content_type == "application/x-ndjson"
            return [msgspec.json.decode(line) async for line in response.content]

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return bool(self.api._reparses and self.api._reparses._running)

    async def ask(self, body: object) -> tuple[int, Any]:
        """Status and JSON of an answer that is an error."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self.session.post("/api/reparse", data=data) as response:
            return response.status, await response.json()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """DUCO_001 with 200 s of raw data."""
    async with AsyncExitStack() as stack:
        meta = await stack.enter_async_context(open_meta(tmp_path))
        store = AgainStore([row for n in range(200) for row in can_rows(n)])
        api = ReparseApi(reparses(store, meta, tmp_path))
        session = await stack.enter_async_context(await serving(stack, api))
        yield Place(session, store, meta, api)


async def serving(stack: AsyncExitStack, api: ReparseApi) -> aiohttp.ClientSession:
    """A session with a server that has the endpoint alone."""
    web = Web(port=0)
    table = routes(Health({}, Metrics()), studio=None, metaapi=None, call=None, static=None, reparse=api)
    server = Server(web, stack.enter_context(listen(web)), table)
    await server.start()
    stack.push_async_callback(server.close)
    return aiohttp.ClientSession(server.url)


async def test_the_lines(place: Place) -> None:
    """How far it is, and at last the result."""
    *told, last = await place.lines()
    assert set(last) == {"result"}
    result = last["result"]
    assert (result["device"], result["seconds"], result["samples"]) == ("DUCO_001", 200, 200)
    assert (result["from_ms"], result["to_ms"], result["parsing"]) == (TS_MS, TS_MS + 199_000, ["p", 1])
    assert (result["problems"], result["notes"]) == ({}, [])
    assert all(set(line) == {"done_ms", "total_ms", "seconds", "samples", "rate"} for line in told)
    assert told[-1]["done_ms"] == told[-1]["total_ms"] == 199_001
    assert len(place.store.kept) == 200


async def test_a_line_twice_a_second_while_the_store_is_slow(place: Place) -> None:
    """Who waits sees that somebody is there."""
    place.store.stalled.add("parsed")

    async with place.session.post("/api/reparse", json=BODY) as response:
        times_s: list[float] = []
        is_shown = False
        async with asyncio.timeout(20):  # until a slow machine, too, has once let three lines come in two pauses
            async for line in response.content:
                if msgspec.json.decode(line).get("seconds") == 60 and not is_shown:
                    times_s.append(time.monotonic())
                    is_shown = len(times_s) >= 3 and times_s[-1] - times_s[-3] < 1.2
                    if is_shown:
                        await place.store.let_go()
    assert is_shown


BAD: dict[str, tuple[object, int, str, str]] = {
    "unknown device": ({**BODY, "device": "D9"}, 404, "not_found", "D9"),
    "from": ({**BODY, "from": "soon"}, 400, "bad_request", "from 'soon'"),
    "to": ({**BODY, "to": True}, 400, "bad_request", "to"),
    "negative": ({**BODY, "from": -1}, 400, "bad_request", "from '-1'"),
    "the end before the begin": ({**BODY, "to": 0}, 400, "bad_request", "before"),
    "nothing": ({}, 400, "bad_request", "device"),
    "no JSON": (b"{", 400, "bad_request", "body"),
    "no object": (b"[]", 400, "bad_request", "body"),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_refused(place: Place, case: str) -> None:
    """Before anything is read, as every endpoint does."""
    body, status, code, text = BAD[case]
    answer = await place.ask(body)
    assert is_error(answer, status, code), answer
    assert text in answer[1]["error"]["message"]
    assert place.store.asked == []


async def test_metaapi_that_is_away(place: Place) -> None:
    """503, at once."""
    place.meta.away = True
    assert is_error(await place.ask(BODY), 503, "unavailable")


async def test_a_process_without_a_store() -> None:
    """Says so, and which roles have one."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(await serving(stack, ReparseApi(None)))
        async with session.post("/api/reparse", json=BODY) as response:
            answer = response.status, await response.json()
    assert is_error(answer, 409, "conflict")
    assert "process" in answer[1]["error"]["message"]


async def test_the_second_of_a_device_is_refused(place: Place) -> None:
    """As long as the first one runs."""
    place.store.stalled.add("parsed")
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(place.lines())
        await place.store.until(lambda: "parsed" in place.store.waiting)
        answer = await place.ask(BODY)
        assert is_error(answer, 409, "conflict")
        assert "DUCO_001" in answer[1]["error"]["message"]
        await place.store.let_go()
    assert "result" in first.result()[-1]


async def test_a_client_that_goes_away_ends_the_run(place: Place) -> None:
    """What was stored stays noted: the same question goes on, and says so first."""
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        client = tasks.create_task(place.lines())
        await place.store.until(lambda: place.store.inserts)
        place.store.stalled.add("parsed")
        await place.store.until(lambda: "parsed" in place.store.waiting)
        client.cancel()
        while place.running:
            await asyncio.sleep(0.05)
        await place.store.let_go()
        lines = await place.lines()
    assert "goes on" in lines[0]["note"]
    assert lines[-1]["result"]["samples"] == len(place.store.kept) == 200


async def test_a_process_that_ends_says_so(place: Place, tmp_path: Path) -> None:
    """A last line with an error; the note is there."""
    place.store.stalled.add("parsed")
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(place.lines())
        await place.store.until(lambda: "parsed" in place.store.waiting)
        place.api.stop()
        await place.store.let_go()
    error = run.result()[-1]["error"]
    assert error["code"] == "unavailable"
    assert "goes on" in error["message"]
    note = NoteFile(tmp_path / "reparse", "DUCO_001").read()
    assert note is not None
    assert note.seconds == 60
    lines = await place.lines()
    assert "goes on" in lines[0]["note"]
    assert lines[-1]["result"]["samples"] == len(place.store.kept) == 200


async def test_a_failure_within(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer has begun: its last line tells; another question is answered."""

    async def fails(*_: object) -> None:
        raise RuntimeError("secret detail")

    with monkeypatch.context() as patched:
        patched.setattr(place.store, "insert_parsed", fails)
        lines = await place.lines()
    assert lines[-1]["error"]["code"] == "internal"
    assert "secret" not in str(lines)
    assert "result" in (await place.lines())[-1]
