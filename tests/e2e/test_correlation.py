"""One second of a machine followed through the log of the real program, from the machine to the viewer."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp

from duco_rt.cli.top_scrape import Scrape, read_scrape
from tests.programs import Program, live, program

LIVE_WAY = ("device sends", "ingest took", "live published", "studio delivered")
STORE_WAY = ("ingest took", "raw stored", "parsed stored")


def log_lines(file: Path) -> list[dict[str, Any]]:
    """All that was logged so far; a line that is still being written is left for later."""
    *whole, _ = file.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in whole]


async def way(file: Path, sample: str, least: set[str]) -> list[dict[str, Any]]:
    """The lines of one sample, in order, as soon as it came so far."""
    async with asyncio.timeout(20):
        while True:
            found = [line for line in log_lines(file) if line.get("sample") == sample]
            if least <= {line["event"] for line in found}:
                return found
            await asyncio.sleep(0.05)


async def all_delivered(http: aiohttp.ClientSession, running: Program, count: int) -> list[int]:
    """The positions of the first messages that a viewer got."""
    seqs: list[int] = []
    async with aclosing(live(http, running, "DUCO_001", ["speed"])) as messages:  # type: ignore[type-var]  # a generator
        async for message in messages:
            if message["type"] == "LIVE_DATA":
                seqs.append(message["seq"])
            if len(seqs) == count:
                break
    return seqs


async def test_a_second_is_followed_from_the_machine_to_the_viewer(tmp_path: Path) -> None:
    """By one key, `sample`, at every stage, in order; each line once, however many viewers there are."""
    file = tmp_path / "log"
    settings = ("app.log_level=debug", "app.log_format=json")
    async with program(tmp_path / "data", *settings, log=file) as running, aiohttp.ClientSession() as http:
        answer = await running.start_realtime(http)
        assert answer["status"] == 200
        async with asyncio.timeout(30), asyncio.TaskGroup() as viewers:
            for _ in range(2):
                viewers.create_task(all_delivered(http, running, 4))
            seqs = await all_delivered(http, running, 4)
        sample = f"DUCO_001/vehicle_can/{seqs[1]}"
        found = await way(file, sample, {*LIVE_WAY, *STORE_WAY})
        await way(file, f"DUCO_001/vehicle_can/{seqs[-1]}", {*LIVE_WAY, *STORE_WAY})  # so that all four are counted
        async with http.get(f"{running.url}metrics") as response:
            check_counts(read_scrape(await response.text(), 0.0))
    events = [line["event"] for line in found]
    for steps in (LIVE_WAY, STORE_WAY):
        assert [event for event in events if event in steps] == list(steps)
    assert sorted(events) == sorted({*LIVE_WAY, *STORE_WAY})
    assert [line["timestamp"] for line in found] == sorted(line["timestamp"] for line in found)
    by_event = {line["event"]: line for line in found}
    assert by_event["device sends"]["upload"] == by_event["ingest took"]["upload"] == "real-time"
    assert by_event["studio delivered"]["viewers"] >= 1
    assert {line["level"] for line in found} == {"debug"}


def check_counts(said: Scrape) -> None:
    """The metrics have the same seconds at every stage, each delay one of seconds, on a loaded machine as well."""
    for at in ("ingest", "live", "raw", "parsed", "viewer"):
        assert (said.total("duco_second_delay_seconds_count", at=at) or 0) >= 2, at
        assert at == "ingest" or said.total("duco_arrival_delay_seconds_count", at=at), at
    for at, most_s in (("ingest", 10), ("live", 10), ("viewer", 10), ("raw", 20), ("parsed", 20)):
        count = said.total("duco_second_delay_seconds_count", at=at) or 0
        assert (said.total("duco_second_delay_seconds_sum", at=at) or 0) < count * most_s, at
    for name in ("device_sent", "ingest_messages", "ingest_live", "process_seconds", "distribute_samples"):
        assert (said.total(f"duco_{name}_total") or 0) >= 4, name
    assert (said.total("duco_live_samples_total") or 0) >= 3
    assert (said.total("duco_live_deliveries_total") or 0) >= 8  # three viewers
    for name in ("device_send_seconds", "store_insert_seconds", "method_seconds", "loop_lag_seconds"):
        assert said.total(f"duco_{name}_count"), name
    assert said.total("duco_device_realtime_total", event="start") == 1
    assert said.total("duco_ingest_clock_off_total") == 0
    assert said.total("duco_hub_live_depth_high") and said.total("duco_log_raw_depth_high")


async def test_the_seconds_of_a_batch_are_followed_into_the_store(tmp_path: Path) -> None:
    """Its message goes by its first second; from the store on each has its own line."""
    file = tmp_path / "log"
    settings = ("app.log_level=debug", "app.log_format=json", "device.upload_interval_s=3")
    async with program(tmp_path / "data", *settings, log=file):
        async with asyncio.timeout(30):
            while not (sent := [line for line in log_lines(file) if line["event"] == "device sends"]):
                await asyncio.sleep(0.1)
        first = next(line["sample"] for line in sent if "/vehicle_can/" in line["sample"])
        peer, _, seq = first.rpartition("/")
        assert [line["event"] for line in await way(file, first, {"parsed stored"})] == [
            "device sends",
            "ingest took",
            "raw stored",
            "parsed stored",
        ]
        second = await way(file, f"{peer}/{int(seq) + 1}", {"parsed stored"})
        assert [line["event"] for line in second] == ["raw stored", "parsed stored"]


async def test_without_debug_no_line_is_made_of_a_second(tmp_path: Path) -> None:
    """What is well is in the metrics alone."""
    file = tmp_path / "log"
    async with program(tmp_path / "data", "app.log_format=json", log=file) as running, aiohttp.ClientSession() as http:
        await running.start_realtime(http)
        async with asyncio.timeout(30):
            assert len(await all_delivered(http, running, 2)) == 2
    assert [line for line in log_lines(file) if "sample" in line] == []
