"""A studio with one machine of many signals, for `tests.bench.page`: a process of its own, told what to do by stdin.

`python -m tests.bench.page_machine --hz 1 --charts 12 --lines 6` prints its address. Each line on stdin is answered by
one: `pause` stops sending (answer: Unix ms of the last sample's publication), `go` goes on. It ends with its stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from pathlib import Path

from duco_rt.config import Web
from duco_rt.model import LastSeen, Peer, Sample, Span, Value
from tests.dbc_texts import dbc_text
from tests.web.conftest import BASE, Site

PEER = Peer("duco", "DUCO_001", "vehicle_can")
HISTORY_S = 150
KEPT_S = 600


class PageMachine:
    """Publishes a sample of all signals `hz` times a second; the store has the last minutes."""

    def __init__(self, site: Site, hz: float, charts: int, lines: int) -> None:
        self._site = site
        self._hz = hz
        self._charts = charts
        self._lines = lines
        self._seq = round(time.time())
        self.is_sending = asyncio.Event()
        self.is_sending.set()
        self.sent_ms = 0

    async def prepare(self) -> None:
        """Parsing, groups, and what was before."""
        messages = [
            "\n".join([f"{256 + c} Message{c} 8", *(f"s{c}_{k} : {8 * k}|8@1+ (0.5,0)" for k in range(self._lines))])
            for c in range(self._charts)
        ]
        files = [{"name": "all.dbc", "bus": None, "format": "dbc", "text": dbc_text(*messages)}]
        await self._site.ask("PUT", "/api/metaapi/parsings/page", {"version": 0, "files": files})
        device = {"chassisId": PEER.chassis_id, "tenant": PEER.tenant, "name": "Bench", "parsing": "page"}
        await self._site.ask("PUT", f"/api/metaapi/devices/{PEER.chassis_id}", device)
        for group in (await self._site.ask("GET", f"{BASE}/_groups"))[1]["groups"]:
            await self._site.ask("DELETE", f"{BASE}/_groups/{group['groupId']}")
        for c in range(self._charts):
            lines = [{"field": f"s{c}_{k}"} for k in range(self._lines)]
            await self._site.ask("POST", f"{BASE}/_groups", {"title": f"Chart {c + 1}", "lines": lines, "order": c})
        now_ms = self._tick()
        for back in range(round(HISTORY_S * self._hz), 0, -1):
            await self._store(now_ms - round(back * 1000 / self._hz))

    async def run(self) -> None:
        """Send, in step with the clock."""
        period_s = 1 / self._hz
        due_s = time.time()
        while True:
            await self.is_sending.wait()
            due_s = max(due_s + period_s, time.time() - period_s)
            await asyncio.sleep(due_s - time.time())
            sample = await self._store(self._tick() - round(1000 * period_s))
            stats = {name: [span.min, span.max, span.count] for name, span in (sample.stats or {}).items()}
            message = {"payload": sample.payload, "ts": sample.ts_ms, "seq": sample.seq, "stats": stats}
            await self._site.live.publish(PEER.channel, json.dumps(message).encode())
            self.sent_ms = round(time.time() * 1000)

    def _tick(self) -> int:
        self._site.clock.now_s = time.time()
        return self._site.clock.wall_ms()

    async def _store(self, ts_ms: int) -> Sample:
        self._seq += 1
        payload: dict[str, Value] = {}
        stats: dict[str, Span] = {}
        for c in range(self._charts):
            for k in range(self._lines):
                value = round(50 + 40 * math.sin(ts_ms / 9000 + c + k / 2) + (self._seq * 7919 % 100) / 50, 2)
                payload[f"s{c}_{k}"] = value
                stats[f"s{c}_{k}"] = Span(value - 1, value + 2, 50)
        sample = Sample(PEER, ts_ms, self._seq, ts_ms + 1000, payload, stats)
        store = self._site.store
        await store.insert_parsed([sample])
        del store.samples[: -round(KEPT_S * self._hz)]
        store.seen[PEER] = LastSeen(ts_ms, ts_ms + 1000, self._seq, True, ts_ms + 1000)
        return sample


async def clock(site: Site) -> None:
    """The server's time goes on while nothing is sent."""
    while True:
        site.clock.now_s = time.time()
        await asyncio.sleep(0.02)


async def serve(hz: float, charts: int, lines: int) -> None:
    """Until stdin ends."""
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        async with Site(Path(folder), Web(port=0)).running() as site:
            await site.device()
            machine = PageMachine(site, hz, charts, lines)
            await machine.prepare()
            print(f"{site.url}/", flush=True)
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(machine.run()), tasks.create_task(clock(site))]
                while word := (await stdin.readline()).decode().strip():
                    if word == "pause":
                        machine.is_sending.clear()
                        await asyncio.sleep(1.5 / hz)  # what was on its way
                    else:
                        machine.is_sending.set()
                    print(machine.sent_ms, flush=True)
                for task in running:
                    task.cancel()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hz", type=float, default=1.0)
    parser.add_argument("--charts", type=int, default=12)
    parser.add_argument("--lines", type=int, default=6)
    given = parser.parse_args()
    asyncio.run(serve(given.hz, given.charts, given.lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
