"""A Runtime in the running loop: live samples, history, leases, and an end that loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import aiohttp
import msgspec
import pyarrow as pa
import pytest
import pytest_asyncio

from duco_rt import Runtime, load_config
from duco_rt.config import Config
from duco_rt.device.app import DucoApp
from duco_rt.errors import BadRequest, ConfigError, Conflict, NotFound
from tests.programs import holds

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]
CAN_FIELDS = ["speed", "engine_rpm"]


def config_of(data_dir: Path, **app: object) -> Config:
    """All roles and one simulated machine."""
    found = load_config(environ={}, overrides=["web.port=0", "device.upload_interval_s=2", f"app.data_dir={data_dir}"])
    return msgspec.structs.replace(found, app=msgspec.structs.replace(found.app, **app))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the Runtime of this file keeps everything."""
    return tmp_path_factory.mktemp("runtime") / "data"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rt(data_dir: Path) -> AsyncIterator[Runtime]:
    """One Runtime for the file: its store takes seconds to open, and a process can have one."""
    async with Runtime(config_of(data_dir)) as running:
        yield running


async def test_live(rt: Runtime) -> None:
    """A sample a second in order, with the named fields alone; real time is on while it runs, off after it."""
    found = []
    stalls = rt.metrics.value("device_seconds_realigned_total")
    async with asyncio.timeout(20), aclosing(rt.live("DUCO_001", fields=CAN_FIELDS)) as samples:  # type: ignore[type-var]
        async for sample in samples:
            found.append(sample)
            if len(found) == 3:
                assert await _is_realtime(rt)
                break
    assert [s.seq for s in found] == [(found[0].seq or 0) + i for i in range(3)]
    # a machine that was held up for longer than a second begins its next one anew, and counts that
    stalls = rt.metrics.value("device_seconds_realigned_total") - stalls
    assert sum(b.ts_ms - a.ts_ms != 1000 for a, b in pairwise(found)) <= stalls
    assert all(set(s.payload) == set(CAN_FIELDS) for s in found)
    assert (found[0].peer.tenant, found[0].peer.msg_type) == ("duco", "vehicle_can")
    assert not await _is_realtime(rt)


async def _is_realtime(rt: Runtime) -> bool:
    """By the device's newest word: it says so in the answer of a stop of nobody."""
    return bool((await rt.stop_realtime("DUCO_001", "nobody")).payload["realtime"])


async def test_collect_and_history_have_the_same_samples(rt: Runtime) -> None:
    """What was seen live is in the store within 2 s, with the same position and values, for both types."""
    for msg_type, fields in {"vehicle_can": CAN_FIELDS, "client_raw_data": ["gps_lat", "cpu_percent"]}.items():
        rows = await rt.collect("DUCO_001", msg_type, fields=fields, seconds=4)
        assert len(rows) >= 1
        async with asyncio.timeout(2):
            while True:
                table = await rt.history("DUCO_001", msg_type, fields=fields)
                if {row["seq"] for row in rows} <= set(table["seq"].to_pylist()):
                    break
                await asyncio.sleep(0.1)
        assert table.schema.field("ts").type == pa.timestamp("ms", "UTC")
        assert table.column_names == ["ts", "seq", *fields]
        stored = {row["seq"]: row for row in table.to_pylist()}
        for row in rows:
            kept = stored[row["seq"]]
            assert round(kept["ts"].timestamp() * 1000) == row["ts"]
            assert {name: kept[name] for name in fields} == pytest.approx({name: row.get(name) for name in fields})
        assert table["seq"].to_pylist() == sorted(set(table["seq"].to_pylist()))


async def stored_seconds(rt: Runtime, count: int) -> None:
    """Wait until the store has so many, whatever other tests left there."""
    async with asyncio.timeout(20):
        while len(await rt.history("DUCO_001", fields=["speed"])) < count:
            await asyncio.sleep(0.2)


async def test_history_over_http_is_the_same(rt: Runtime) -> None:
    """The page and Python read one store."""
    path = "api/resources/duco/_common/datasets/DUCO_001/history?msgType=vehicle_can&fields=speed"
    await stored_seconds(rt, 1)
    async with aiohttp.ClientSession() as session, session.get(rt.url + path) as response:
        found = await response.json()
    table = await rt.history("DUCO_001", fields=["speed"], minutes=5)  # its two minutes would be later ones
    stored = dict(zip(table["seq"].to_pylist(), table["speed"].to_pylist(), strict=True))
    assert found["seq"]
    for seq, value in zip(found["seq"], found["fields"]["speed"], strict=True):
        assert stored[seq] == value
    assert found["to"] - found["from"] == 120_000


async def test_history_at_full_resolution(rt: Runtime) -> None:
    """A row a sample, and the values of history by seconds are among them."""
    await stored_seconds(rt, 5)
    seconds = await rt.history("DUCO_001", fields=["engine_rpm"])  # before the frames, which then go on behind it
    wanted = ["speed", "engine_rpm", "never"]
    table = await rt.history("DUCO_001", fields=wanted, minutes=5, resolution="full")
    assert table.column_names == ["field", "ts", "value"]
    assert set(table["field"].to_pylist()) == {"speed", "engine_rpm"}
    rpm = [row for row in table.to_pylist() if row["field"] == "engine_rpm"]
    assert rpm == sorted(rpm, key=lambda row: row["ts"])
    stored = [(row["ts"], row["engine_rpm"]) for row in seconds.to_pylist()[1:-1]]
    assert len(stored) >= 3
    early, late = timedelta(seconds=5), timedelta(seconds=10)
    for begin, value in stored:  # a busy machine closes a second late, or its bus is late: the last frame is near by
        assert value in {row["value"] for row in rpm if begin - early <= row["ts"] < begin + late}


async def test_history_with_stats(rt: Runtime) -> None:
    """Columns beside the field's, those that were asked for."""
    table = await rt.history("DUCO_001", fields=["engine_rpm"], stats=("min", "max", "last"))
    assert table.column_names == ["ts", "seq", "engine_rpm", "engine_rpm.min", "engine_rpm.max"]
    for row in table.to_pylist():
        if row["engine_rpm.min"] is not None:
            assert row["engine_rpm.min"] <= row["engine_rpm"] <= row["engine_rpm.max"]
    with pytest.raises(BadRequest, match="stats 'mean'"):
        await rt.history("DUCO_001", fields=["engine_rpm"], stats=("mean",))
    with pytest.raises(BadRequest, match="hours at full resolution"):
        await rt.history("DUCO_001", fields=["engine_rpm"], minutes=1e4, resolution="full")


async def test_start_realtime_is_a_viewers_start(rt: Runtime) -> None:
    """The first reaches the device, the next is answered from the lease."""
    first = await rt.start_realtime("DUCO_001", "a")
    assert (first.status, first.payload["source"], first.payload["realtime"]) == (200, "device", True)
    assert (await rt.start_realtime("DUCO_001", "b")).payload["source"] == "lease"
    assert (await rt.stop_realtime("DUCO_001", "a")).payload["source"] == "lease"
    stopped = await rt.stop_realtime("DUCO_001", "b")
    assert (stopped.payload["source"], stopped.payload["realtime"]) == ("device", False)


async def test_an_unknown_device(rt: Runtime) -> None:
    """NotFound from each call; the Runtime goes on."""
    with pytest.raises(NotFound):
        await rt.start_realtime("D9")
    with pytest.raises(NotFound):
        await rt.history("D9", fields=["a"])
    with pytest.raises(NotFound):
        await rt.collect("D9", seconds=1)
    assert (await rt.start_realtime("DUCO_001")).status == 200


async def test_ready_and_counted(rt: Runtime) -> None:
    """The server says that all transports work."""
    async with aiohttp.ClientSession() as session:

        async def ready() -> None:
            async with session.get(rt.url + "readyz") as response:
                assert response.status == 200
                assert (await response.json())["transports"]["store"] == "ok"

        await holds(ready, 40)  # a loop that a loaded machine held up is told for 15 s
        async with session.get(rt.url + "metrics") as response:
            text = await response.text()
    assert "duco_device_seconds_total" in text
    assert "duco_distribute_samples_total" in text


async def test_a_foreign_message_does_not_end_a_reading(rt: Runtime) -> None:
    """What cannot be read is counted; the next sample comes, though its stats are no text."""
    channel = "live-stream/duco/consumer-DUCO_001/own_type"
    before = rt.metrics.value("live_bad_publications_total")

    async def others() -> None:
        while True:
            for message in (
                b"nonsense",
                b'{"payload":{"a":[1]}}',
                b'{"payload":{"a":' + b"[" * 99_999,
                b'{"payload":{"a":7},"stats":{"\xff":[1,2,3]}}',
            ):
                await rt._transports.live.publish(channel, message)
            await asyncio.sleep(0.05)

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        publisher = tasks.create_task(others())
        async with aclosing(rt.live("DUCO_001", "own_type")) as samples:  # type: ignore[type-var]
            sample = await anext(samples)
        publisher.cancel()
    assert (sample.payload, sample.seq, sample.stats) == ({"a": 7}, None, None)
    assert rt.metrics.value("live_bad_publications_total") >= before + 3


async def test_the_folder_is_held_by_one(rt: Runtime, data_dir: Path) -> None:
    """A second Runtime on it is told who has it; the first goes on."""
    with pytest.raises(Conflict, match="process"):
        async with Runtime(config_of(data_dir)):
            pass
    assert (await rt.start_realtime("DUCO_001")).status == 200


async def test_roles_without_the_store(tmp_path: Path) -> None:
    """The device role alone starts no engine; what needs the other roles says so."""
    config = config_of(tmp_path / "data", roles=("device",), drain_timeout_s=0.2)
    async with Runtime(config) as alone:
        with pytest.raises(ConfigError, match=r"app\.roles"):
            await alone.history("DUCO_001", fields=["a"])
        with pytest.raises(ConfigError, match=r"app\.roles"):
            await alone.start_realtime("DUCO_001")
        async with aiohttp.ClientSession() as session, session.get(alone.url + "healthz") as response:
            assert response.status == 200
    assert not (tmp_path / "data" / "chdb").exists()


async def test_a_key_that_cannot_be(tmp_path: Path) -> None:
    """Nothing is left held: the same folder starts with a better configuration."""
    config = config_of(tmp_path / "data", roles=("device",), drain_timeout_s=0.2)
    bad = msgspec.structs.replace(config, device=msgspec.structs.replace(config.device, key="signal:Nonsense"))
    with pytest.raises(ConfigError, match=r"device\.key"):
        async with Runtime(bad):
            pass
    async with Runtime(config) as good:
        assert good.url


async def test_what_a_part_cannot_be_told_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is, not in a group, and nothing stays held; after the start the part is begun again."""
    config = config_of(tmp_path / "data", roles=("device",), drain_timeout_s=0.2)

    async def wrong(_: DucoApp) -> None:
        raise ConfigError("hub.url = 'x': no")

    with monkeypatch.context() as patched:
        patched.setattr(DucoApp, "run", wrong)
        with pytest.raises(ConfigError, match=r"hub\.url"):
            async with Runtime(config):
                pass
    async with Runtime(config) as good:
        assert good._states()["device DUCO_001"] == "ok"
