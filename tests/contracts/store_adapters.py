"""The stores of the contract suite: how each is opened, opened again, and made to merge."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from duco_rt.transports import store_sql
from duco_rt.transports.base_data import Store
from tests.servers.clickhouse import ClickHouseServer

_DATABASE = count()


async def _chdb(request: pytest.FixtureRequest, **limits: Any) -> Store:
    from duco_rt.transports.store_chdb import ChdbStore

    return await ChdbStore(request.getfixturevalue("tmp_path") / "store", **limits).open()


async def _clickhouse(request: pytest.FixtureRequest, **limits: Any) -> Store:
    from duco_rt.transports.store_clickhouse import ClickHouseStore

    server: ClickHouseServer = request.getfixturevalue("clickhouse")
    database = f"contract_{next(_DATABASE)}"
    server.create_tables(database)
    return ClickHouseStore(server.url, database=database, create_tables=False, **limits)


ADAPTERS = {"chdb": _chdb, "clickhouse": _clickhouse}
"""Each opens a fresh store, with limits; that of `clickhouse` needs a fixture of this name."""


def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """The body of the fixture `clickhouse`."""
    server = ClickHouseServer(tmp_path_factory.mktemp("clickhouse")).start()
    yield server
    server.kill()


async def again(store: Any, request: pytest.FixtureRequest) -> Any:
    """Close the store and open one on the same rows."""
    from duco_rt.transports.store_chdb import ChdbStore
    from duco_rt.transports.store_clickhouse import ClickHouseStore

    await store.close()
    if isinstance(store, ChdbStore):
        return await ChdbStore(store._folder).open()
    server: ClickHouseServer = request.getfixturevalue("clickhouse")
    return ClickHouseStore(server.url, database=store._database, create_tables=False)


async def merge(store: Any) -> None:
    """Have all parts of the parsed table merged."""
    from duco_rt.transports.store_chdb import ChdbStore

    if isinstance(store, ChdbStore):
        await store._run(store._query, f"OPTIMIZE TABLE duco.{store_sql.PARSED} FINAL")
    else:
        await store._query(f"OPTIMIZE TABLE {store._database}.{store_sql.PARSED} FINAL")
