"""Each server is killed and started again while data flows: all comes back by itself, and nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.processes import everything_stored, first_seq
from tests.e2e.real import Servers, System
from tests.e2e.viewer import Viewer

USERS = {
    "hub": ["device", "ingest1", "ingest2", "metaapi"],
    "log": ["ingest1", "process1", "distribute1"],
    "live": ["ingest1", "studio1"],
    "store": ["process1", "distribute2", "studio2"],
}
"""Processes whose readiness has to tell of the transport."""

BACK_S = 10.0


async def ready_everywhere(system: System, http: aiohttp.ClientSession, within_s: float = BACK_S) -> None:
    """Wait until every transport works everywhere, and is counted so; then until every process is ready."""
    end_s = time.monotonic() + within_s
    while True:
        wrong: dict[str, object] = {}
        for process in system.each:
            _, states = await process.ready(http)
            if set(states.values()) != {"ok"}:
                wrong[process.name] = states
            elif (up := await process.metric(http, "transport_up")) != len(states):
                wrong[process.name] = f"transport_up of {states}: {up}"
        if not wrong:
            break
        assert time.monotonic() < end_s, wrong
        await asyncio.sleep(0.1)
    for process in system.each:  # no server's outage: a loop that a loaded machine held up is told for 15 s
        await process.until_ready(http)


async def unready(system: System, http: aiohttp.ClientSession, name: str) -> None:
    """Wait until all that use the transport say that it does not work, and nothing else is wrong."""
    processes = {process.name: process for process in system.each}
    async with asyncio.timeout(20):
        for user in USERS[name]:
            while (await processes[user].ready(http))[1][name] == "ok":
                await asyncio.sleep(0.1)
            status, states = await processes[user].ready(http)
            assert status == 503
            assert await processes[user].metric(http, "transport_up", f'transport="{name}"') == 0
            others = {other: state for other, state in states.items() if other != name and state != "ok"}
            assert set(others) <= ({"leases"} if name == "live" else set()), others


async def outage(system: System, http: aiohttp.ClientSession, viewer: Viewer, name: str, down_s: float) -> None:
    """Kill one server for a while; check what is said meanwhile, and how soon all is well afterwards."""
    server = system.servers.each[name]
    await viewer.until(3)
    begun_s = time.monotonic()
    await asyncio.to_thread(server.kill)
    await unready(system, http, name)
    if name in ("log", "store"):
        await viewer.until(3)  # live does not wait for what stores: that stays away until then
    if name == "hub":
        await system.device.restart()  # what waits for the hub lies in its spool
    await asyncio.sleep(max(0.0, begun_s + down_s - time.monotonic()))
    seen = len(viewer.samples)
    await asyncio.to_thread(server.start)
    back_s = time.monotonic()
    await ready_everywhere(system, http)
    while len(viewer.samples) <= seen:
        assert time.monotonic() < back_s + BACK_S, "nothing live"
        await asyncio.sleep(0.05)
    live_s = next(came for came in viewer.came_s[seen:]) - back_s
    print(f"\n{name}: {down_s:g} s down; live {live_s:.1f} s after its return")


async def outages(tmp_path: Path, live: str, down_s: float) -> None:
    """All four servers, one after the other; in the end the store has every second of the whole time, once."""
    servers = Servers(tmp_path)
    system = System(servers, tmp_path / "system", live)
    async with servers.running(), aiohttp.ClientSession() as http, system.running():
        studio, first = system.studios[1], await first_seq(http, system.device)
        async with Viewer(lambda: studio.url).watching(http) as viewer:
            await ready_everywhere(system, http, 60)
            for name in servers.each:
                await outage(system, http, viewer, name, down_s)
                returned_s = time.monotonic()
                await everything_stored(http, studio.program, system.device, first, BACK_S)
                print(f"{name}: the store has all {time.monotonic() - returned_s:.1f} s later")
            seqs = [message["seq"] for message in viewer.samples]
            assert seqs == sorted(set(seqs)), "a viewer saw a sample twice, or late"
        await everything_stored(http, studio.program, system.device, first, 20)


@pytest.mark.timeout(360)
async def test_servers_that_go_for_a_moment(tmp_path: Path) -> None:
    """Some seconds each."""
    await outages(tmp_path, "redis-streams", 3)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("live", ["redis-pubsub", "redis-streams"])
async def test_servers_that_go_for_30_s(tmp_path: Path, live: str) -> None:
    """Half a minute each."""
    await outages(tmp_path, live, 30)


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_a_broker_that_loses_what_it_held_for_ingestors_that_were_away(tmp_path: Path) -> None:
    """No ingestor is there, so the broker holds what it acknowledged; it is killed, forgets it, and stays away for
    longer than devices keep what was acknowledged: they have all of it still, and send it again."""
    servers = Servers(tmp_path)
    servers.more = ["device.resend_s=8"]
    system = System(servers, tmp_path / "system")
    ingestors = system.pairs["ingest"]
    async with servers.running(), aiohttp.ClientSession() as http, system.running():
        studio, first = system.studios[0], await first_seq(http, system.device)
        async with Viewer(lambda: studio.url).watching(http) as viewer:
            await viewer.until(3)
            for ingestor in ingestors:
                await ingestor.end(signal.SIGKILL)
            await asyncio.sleep(5)  # some seconds are with the broker alone
            await asyncio.to_thread(servers.mqtt.kill)
            await asyncio.sleep(12)
            await asyncio.to_thread(servers.mqtt.start)
            await asyncio.gather(*(ingestor.start() for ingestor in ingestors))
            await viewer.until(2)
        await everything_stored(http, studio.program, system.device, first, 20)
