"""What is the server's own: it is killed, paused, lacks tables, is shared; its store's calls run beside each other."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from duco_rt.errors import ConfigError, TransportError
from duco_rt.model import Peer, RawSecond, Sample
from duco_rt.pipeline.runner import retry
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports import store_sql
from duco_rt.transports.store_clickhouse import ClickHouseStore
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.server import HOST

pytestmark = pytest.mark.servers

NOW = 1_795_352_000_000
PEER = Peer("duco", "DUCO_001", "vehicle_can")
Open = Callable[..., ClickHouseStore]

CHILD = """
import asyncio, sys
from duco_rt.model import Peer, Sample
from duco_rt.transports.store_clickhouse import ClickHouseStore

async def main():
    url, database, user, password = sys.argv[1:]
    store = ClickHouseStore(url, database=database, create_tables=False, user=user, password=password)
    peer = Peer("duco", "DUCO_001", "vehicle_can")
    for i in range(40):
        await store.insert_parsed([Sample(peer, 1795352000000 + i, i, 1795352000000, {"a": float(i)})])
    await store.close()

asyncio.run(main())
"""


def sample(i: int, **payload: float) -> Sample:
    """Return the sample of millisecond i."""
    return Sample(PEER, NOW + i, i, NOW, dict(payload))


def raw(i: int, size: int = 2) -> RawSecond:
    """Return the raw row of millisecond i."""
    return RawSecond(PEER, NOW + i, i, 0, NOW, False, "can1", data=b"\0\xff" * (size // 2))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """A server for the tests that do it no harm."""
    server = ClickHouseServer(tmp_path_factory.mktemp("shared"), user="duco", password="a<b&'ü").start()
    yield server
    server.kill()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ClickHouseServer]:
    """A server of the test's own, with tables."""
    server = ClickHouseServer(tmp_path / "server").start()
    server.create_tables()
    yield server
    server.pause(False)
    server.kill()


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Makes stores on a server; closes them."""
    stores: list[ClickHouseStore] = []

    def open_(server: ClickHouseServer, **more: Any) -> ClickHouseStore:
        more = {"user": server.user, "password": server.password, "create_tables": False, **more}
        stores.append(ClickHouseStore(server.url, **more))
        return stores[-1]

    yield open_
    for store in stores:
        await store.close()


_DATABASE = count()


@pytest.fixture
def database(shared: ClickHouseServer) -> str:
    """A database with tables on the shared server."""
    name = f"test_{next(_DATABASE)}"
    shared.create_tables(name)
    return name


async def test_a_server_killed_and_started_again(server: ClickHouseServer, opened: Open) -> None:
    """Each insert tried until it returned: nothing is missing, nothing comes twice to who reads."""
    store = opened(server)
    metrics = Metrics()
    done = asyncio.Event()

    async def insert(first: int) -> None:
        for i in range(first, first + 150):
            await retry("parsed", lambda i=i: store.insert_parsed([sample(i, a=float(i))]), metrics)  # type: ignore[misc]
            await retry("raw", lambda i=i: store.insert_raw([raw(i)]), metrics)  # type: ignore[misc]
            if i == 20:
                done.set()

    async with asyncio.TaskGroup() as group:
        for first in (0, 150):
            group.create_task(insert(first))
        await done.wait()
        for _ in range(2):
            await asyncio.to_thread(server.kill)
            with pytest.raises(TransportError, match=f"clickhouse {HOST}:{server.port}: cannot connect"):
                await store.check()
            await asyncio.to_thread(server.start)
    history = await store.history(PEER, ["a"], NOW, NOW + 999)
    assert history.seq == list(range(300))
    assert history.fields["a"] == [float(i) for i in range(300)]
    assert [row.seq for row in await store.raw(PEER, NOW, NOW + 999)] == list(range(300))
    assert metrics.total("transport_retries_total") > 0


async def test_the_next_call_after_a_restart_works(server: ClickHouseServer, opened: Open) -> None:
    """Connections that died with the server are not tried."""
    store = opened(server)
    await store.insert_parsed([sample(1, a=1.0)])
    await asyncio.gather(*(store.last_seen("duco") for _ in range(5)))
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    await store.insert_parsed([sample(2, a=2.0)])
    assert (await store.history(PEER, ["a"], NOW, NOW + 9)).seq == [1, 2]


async def test_a_paused_server(server: ClickHouseServer, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check says so within about 2 s, an insert larger than all buffers fails, and then all goes on."""
    store = opened(server)
    await store.insert_raw([raw(0)])
    big = [raw(i, 1_000_000) for i in range(1, 41)]

    async def pause() -> None:
        while store._inserts._idle:  # the insert has its connection, so the ping is behind it
            await asyncio.sleep(0)
        server.pause(True)

    began = time.monotonic()
    with monkeypatch.context() as short:
        short.setattr("duco_rt.transports.store_clickhouse._INSERT_S", 1.0)
        async with asyncio.TaskGroup() as group:
            group.create_task(pause())
            with pytest.raises(TransportError, match="no answer within"):
                await store.insert_raw(big)
    assert time.monotonic() - began < 10
    began = time.monotonic()
    with pytest.raises(TransportError, match="no answer within 2 s"):
        await store.check()
    assert 1.5 < time.monotonic() - began < 5
    server.pause(False)
    await store.check()
    await store.insert_raw(big)
    assert await store.raw(PEER, NOW + 1, NOW + 99) == big


async def test_a_cancelled_call_does_not_hurt_the_next(shared: ClickHouseServer, database: str, opened: Open) -> None:
    """Wherever in the call it is cancelled; the answer of one call is never read by another."""
    store = opened(shared, database=database)
    samples = [sample(i, **{f"f{k}": float(i) for k in range(20)}) for i in range(2000)]
    await store.insert_parsed(samples)
    cancelled = 0
    for i in range(40):
        work = store.insert_parsed(samples) if i % 2 else store.history(PEER, ["f0", "f1"], NOW, NOW + 9999)
        try:
            async with asyncio.timeout(0.0005 * i):
                await work
        except TimeoutError:
            cancelled += 1
        assert (await store.history(PEER, ["f3"], NOW + i, NOW + i)).fields == {"f3": [float(i)]}
        await store.insert_raw([raw(i)])
    assert cancelled > 10
    assert len((await store.history(PEER, ["f0"], NOW, NOW + 9999)).seq) == 2000
    assert len(await store.raw(PEER, NOW, NOW + 99)) == 40


async def test_inserts_do_not_wait_for_reads(shared: ClickHouseServer, database: str, opened: Open) -> None:
    """Nor does the check, with every connection for reads in use."""
    store = opened(shared, database=database)
    await store.insert_parsed([sample(0, a=0.0)])
    async with asyncio.TaskGroup() as group:
        reads = [group.create_task(store._query(f"SELECT sleep(3) AS s, {i} AS i")) for i in range(5)]
        await asyncio.sleep(0.1)
        await store.insert_parsed([sample(1, a=1.0)])
        await store.insert_raw([raw(1)])
        await store.check()
        assert not any(read.done() for read in reads)
        connections = shared.query("SELECT value FROM system.metrics WHERE metric = 'TCPConnection'")
        assert int(connections) <= 5  # three read, one inserted, the check's may still be there
        for read in reads[2:]:
            read.cancel()


async def test_two_processes_with_the_same_rows(shared: ClickHouseServer, database: str, opened: Open) -> None:
    """Both insert every position; who reads gets each once."""
    command = [sys.executable, "-c", CHILD, shared.url, database, shared.user, shared.password]
    root = Path(__file__).parents[2]
    children = [await asyncio.create_subprocess_exec(*command, cwd=root) for _ in range(2)]
    assert [await child.wait() for child in children] == [0, 0]
    store = opened(shared, database=database)
    history = await store.history(PEER, ["a"], NOW, NOW + 99)
    assert history.seq == list(range(40))
    assert history.fields["a"] == [float(i) for i in range(40)]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"password": "x"}, r"Code: 193\. .*[Pp]assword"),
        ({"user": "nobody"}, r"Code: 192\. .*nobody"),
        ({"database": "empty"}, r"no table empty\.ce_technology, empty\.newest, empty\.newest_view, empty\.raw_"),
        ({"database": "full", "create_tables": True}, r"Code: 62\. .*Syntax error"),  # the server is too old for it
    ],
)
async def test_errors_say_what_is_wrong(
    shared: ClickHouseServer, opened: Open, wrong: dict[str, Any], text: str
) -> None:
    """With the server's name, in one line; the check says the same."""
    store = opened(shared, **wrong)
    for work in (store.check(), store.last_seen("duco"), store.insert_raw([raw(0)])):
        with pytest.raises(TransportError, match=rf"store: clickhouse {HOST}:{shared.port}: {text}[^\n]*\Z"):
            await work


async def test_a_server_that_is_not_there(free_port: int) -> None:
    """Nor its name."""
    for url in (f"clickhouse://{HOST}:{free_port}", "clickhouse://no-such-host.invalid"):
        with pytest.raises(TransportError, match=r"store: clickhouse .*: cannot connect: "):
            await ClickHouseStore(url).insert_parsed([sample(0)])


@pytest.mark.parametrize("url", ["", "http://a:8123", "a:9000", "clickhouse://", "clickhouse://a:b", "clickhouse://u@a",
                                 "clickhouse://a/db"])  # fmt: skip
def test_an_address_of_another_form_is_refused(url: str) -> None:
    """As is a database whose name would need quotes."""
    with pytest.raises(ConfigError, match="url"):
        ClickHouseStore(url)
    with pytest.raises(ConfigError, match="database"):
        ClickHouseStore("clickhouse://a", database="a;b")


async def test_tables_that_went_away_are_noticed(server: ClickHouseServer, opened: Open) -> None:
    """And used again when they are back."""
    store = opened(server)
    await store.insert_parsed([sample(0)])
    server.query("DROP TABLE duco.ce_technology")
    with pytest.raises(TransportError, match="Code: 60"):
        await store.insert_parsed([sample(0)])
    with pytest.raises(TransportError, match=r"no table duco\.ce_technology"):
        await store.insert_parsed([sample(0)])
    server.create_tables()
    await store.insert_parsed([sample(0)])
    assert (await store.history(PEER, [], NOW, NOW)).seq == [0]


async def test_what_is_missing_is_made_at_first_use(
    shared: ClickHouseServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by several at once; with the tables of an old server, as this one is."""
    monkeypatch.setattr(store_sql, "ddl", partial(store_sql.ddl, full=False))
    stores = [opened(shared, database="made", create_tables=True) for _ in range(3)]
    await asyncio.gather(*(store.insert_raw([raw(i)]) for store in stores for i in range(2)))
    shared.query("DROP TABLE made.newest_view")
    await opened(shared, database="made", create_tables=True).insert_raw([raw(7)])
    assert (await stores[0].last_seen("duco"))[PEER].seq == 7


async def test_a_large_batch_is_one_part(shared: ClickHouseServer, database: str, opened: Open) -> None:
    """The server joins the blocks: 500 rows of 52 kB, 300,000 values."""
    store = opened(shared, database=database)
    rows = [raw(i, 52_000) for i in range(500)]
    await store.insert_raw(rows)
    await store.insert_parsed([sample(i, **{f"f{k}": i / 2 for k in range(60)}) for i in range(5000)])
    parts = "SELECT table, rows FROM system.parts WHERE active AND database = '{}' AND table != 'newest' ORDER BY table"
    assert shared.query(parts.format(database)) == "ce_technology\t5000\nraw_data_cache_store\t500\n"
    assert await store.raw(PEER, NOW, NOW + 9999) == rows
    assert (await store.history(PEER, ["f7"], NOW, NOW + 9999)).fields["f7"] == [i / 2 for i in range(5000)]
