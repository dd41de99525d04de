"""How far a consumer group has read each partition, and which process reads it: azure-eventhub's CheckpointStore.

`SqliteCheckpoints` serves one machine, `checkpoints_redis` several. In both a claim succeeds only on the
ownership that the claimer saw (its `etag`), a checkpoint never goes back, and an ownership's age is measured by one
clock: the file's machine, the Redis server.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
import uuid
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from azure.eventhub.aio import CheckpointStore

from duco_rt.errors import TransportError

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS owners (
    reader TEXT NOT NULL, partition TEXT NOT NULL, owner TEXT NOT NULL, etag TEXT NOT NULL, modified_s REAL NOT NULL,
    PRIMARY KEY (reader, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoints (
    reader TEXT NOT NULL, partition TEXT NOT NULL, place TEXT NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (reader, partition)
) WITHOUT ROWID;
"""
_CLAIM = """
INSERT INTO owners VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE
SET owner = excluded.owner, etag = excluded.etag, modified_s = excluded.modified_s WHERE owners.etag = ?6
"""
_ADVANCE = """
INSERT INTO checkpoints VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE
SET place = excluded.place, sequence = excluded.sequence WHERE excluded.sequence > checkpoints.sequence
"""

Row = Mapping[str, Any]
"""An ownership or a checkpoint as the driver has it: a dict with its names as keys."""


class Checkpoints(CheckpointStore):
    """What a store adds to the driver's four methods."""

    @abstractmethod
    async def check(self) -> None:
        """Raises TransportError where it does not work now."""

    @abstractmethod
    async def close(self) -> None:
        """Twice is safe."""


def reader(row: Row) -> str:
    """One name for who reads: endpoint, event hub, consumer group."""
    return f"{row['fully_qualified_namespace']}/{row['eventhub_name']}/{row['consumer_group']}"


def named(namespace: str, event_hub: str, group: str, partition: str, more: dict[str, Any]) -> dict[str, Any]:
    """A row as the driver wants it."""
    names = {"fully_qualified_namespace": namespace, "eventhub_name": event_hub, "consumer_group": group}
    return {**names, "partition_id": partition, **more}


def owner_row(owner: str, etag: str, modified_s: float) -> dict[str, Any]:
    """What an ownership has beside its names; an owner of "" gave it back."""
    return {"owner_id": owner, "etag": etag, "last_modified_time": modified_s}


def new_etag() -> str:
    """A mark for an ownership that nobody else can have."""
    return uuid.uuid4().hex


class SqliteCheckpoints(Checkpoints):
    """In one SQLite file; processes of one machine may share it. All statements run in one thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="iothub-checkpoints")
        self._db: sqlite3.Connection | None = None

    async def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **_: object
    ) -> Iterable[dict[str, Any]]:
        """Who owns which partition, and since when, in seconds of time.time()."""
        names = fully_qualified_namespace, eventhub_name, consumer_group
        rows = await self._all(
            "SELECT partition, owner, etag, modified_s FROM owners WHERE reader = ?", "/".join(names)
        )
        return [named(*names, partition, owner_row(*kept)) for partition, *kept in rows]

    async def claim_ownership(self, ownership_list: Iterable[Row], **_: object) -> Iterable[dict[str, Any]]:
        """Those that nobody else claimed meanwhile, with their new etag."""
        return await self._run(self._claim, list(ownership_list))

    def _claim(self, rows: list[Row]) -> list[dict[str, Any]]:
        claimed = []
        for row in rows:
            etag, now_s = new_etag(), time.time()
            values = reader(row), row["partition_id"], row["owner_id"], etag, now_s, row.get("etag")
            if self._open().execute(_CLAIM, values).rowcount:
                claimed.append({**row, "etag": etag, "last_modified_time": now_s})
        return claimed

    async def update_checkpoint(self, checkpoint: Row, **_: object) -> None:
        """Only forwards."""
        place = checkpoint["offset"], checkpoint["sequence_number"]
        await self._all(_ADVANCE, reader(checkpoint), checkpoint["partition_id"], *place)

    async def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **_: object
    ) -> Iterable[dict[str, Any]]:
        """The last acknowledged event of each partition."""
        names = fully_qualified_namespace, eventhub_name, consumer_group
        rows = await self._all("SELECT partition, place, sequence FROM checkpoints WHERE reader = ?", "/".join(names))
        return [named(*names, partition, {"offset": at, "sequence_number": number}) for partition, at, number in rows]

    async def check(self) -> None:
        """Raises TransportError where the file cannot be used."""
        await self._all("SELECT 1")

    async def close(self) -> None:
        """Close the file."""
        db, self._db = self._db, None
        if db is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, db.close)

    async def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return await self._run(lambda: self._open().execute(sql, values).fetchall())

    async def _run(self, work: Callable[..., T], *values: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *values)
        except (sqlite3.Error, OSError) as e:
            raise TransportError(f"the IoT Hub checkpoints in {self._file}: {e}") from e

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._file, timeout=2.0, check_same_thread=False, isolation_level=None)
            # NORMAL: what a power cut may take is only redelivered
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
            self._db.executescript(_SCHEMA)
        return self._db
