"""Checkpoints and ownerships in a file; the same promises are kept in Redis (test_checkpoints_redis)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from duco_rt.errors import TransportError
from duco_rt.transports.hub_iothub.checkpoints import Checkpoints, SqliteCheckpoints, named

NAMES = "ns.net:5671", "hub", "$Default"
OTHERS = "ns.net:5671", "hub", "duco-live"


async def claims_exclude_each_other(store: Checkpoints) -> None:
    """Who claims on what it saw wins once; who comes second gets nothing; another group is untouched."""
    begun_s = time.time()
    first = list(await store.claim_ownership([named(*NAMES, p, {"owner_id": "A"}) for p in "01"]))
    assert [(row["partition_id"], row["owner_id"]) for row in first] == [("0", "A"), ("1", "A")]
    assert begun_s - 1 < first[0]["last_modified_time"] < time.time() + 1
    seen = {row["partition_id"]: row for row in await store.list_ownership(*NAMES)}
    assert seen["0"]["etag"] == first[0]["etag"]
    assert list(await store.claim_ownership([named(*NAMES, "0", {"owner_id": "B"})])) == []
    (stolen,) = await store.claim_ownership([{**seen["0"], "owner_id": "B"}])
    assert stolen["etag"] != first[0]["etag"]
    assert list(await store.claim_ownership([{**first[0], "owner_id": "A"}])) == []
    (given_back,) = await store.claim_ownership([{**stolen, "owner_id": ""}])
    found = {row["partition_id"]: row for row in await store.list_ownership(*NAMES)}
    assert {p: row["owner_id"] for p, row in found.items()} == {"0": "", "1": "A"}
    assert found["0"]["etag"] == given_back["etag"]
    assert all(row["fully_qualified_namespace"] == NAMES[0] for row in found.values())
    assert begun_s - 1 < found["1"]["last_modified_time"] < time.time() + 1
    assert list(await store.list_ownership(*OTHERS)) == []


async def checkpoints_go_forwards(store: Checkpoints) -> None:
    """A late writer does not undo a newer one; partitions and groups are apart."""
    for partition, offset, number in (("0", "1000", 9), ("0", "2000", 10), ("0", "500", 4), ("3", "x y", 0)):
        await store.update_checkpoint(named(*NAMES, partition, {"offset": offset, "sequence_number": number}))
    found = sorted(await store.list_checkpoints(*NAMES), key=lambda row: str(row["partition_id"]))
    assert found == [
        named(*NAMES, "0", {"offset": "2000", "sequence_number": 10}),
        named(*NAMES, "3", {"offset": "x y", "sequence_number": 0}),
    ]
    assert list(await store.list_checkpoints(*OTHERS)) == []


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteCheckpoints]:
    """A file that is not there yet."""
    opened = SqliteCheckpoints(tmp_path / "folder" / "checkpoints.sqlite")
    yield opened
    await opened.close()
    await opened.close()


async def test_claims_exclude_each_other(store: SqliteCheckpoints) -> None:
    """One partition, one reader."""
    await claims_exclude_each_other(store)


async def test_checkpoints_go_forwards(store: SqliteCheckpoints) -> None:
    """Never back."""
    await checkpoints_go_forwards(store)


async def test_another_process_sees_the_same(store: SqliteCheckpoints, tmp_path: Path) -> None:
    """Claims and checkpoints are in the file."""
    await store.claim_ownership([named(*NAMES, "0", {"owner_id": "A"})])
    await store.update_checkpoint(named(*NAMES, "0", {"offset": "7", "sequence_number": 1}))
    other = SqliteCheckpoints(tmp_path / "folder" / "checkpoints.sqlite")
    assert list(await other.claim_ownership([named(*NAMES, "0", {"owner_id": "B"})])) == []
    assert [row["offset"] for row in await other.list_checkpoints(*NAMES)] == ["7"]
    await other.close()


async def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    """TransportError names it."""
    (tmp_path / "file").write_text("no database, " * 200)
    broken = SqliteCheckpoints(tmp_path / "file")
    with pytest.raises(TransportError, match=str(tmp_path / "file")):
        await broken.check()
    await broken.close()
