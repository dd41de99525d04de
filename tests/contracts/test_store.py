"""What every store keeps, on every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duco_rt.errors import TransportError
from duco_rt.model import History, LastSeen, RawSecond, Sample, Value
from duco_rt.transports.base_data import Store
from tests.contracts.store_adapters import ADAPTERS, clickhouse_server
from tests.contracts.store_rows import DAY, NOW, OTHERS, PEER, raw, read, sample, typed
from tests.servers.clickhouse import ClickHouseServer

pytestmark = pytest.mark.servers

Open = Callable[..., Awaitable[Store]]


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """One server for all tests; each has a database of its own."""
    yield from clickhouse_server(tmp_path_factory)


@pytest.fixture(params=ADAPTERS)
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Opens the adapter's store, with limits where a test needs them, and closes it."""
    stores: list[Store] = []

    async def open_(**limits: float) -> Store:
        stores.append(await ADAPTERS[request.param](request, **limits))
        return stores[-1]

    yield open_
    for store in stores:
        await store.close()


@pytest.fixture
async def store(opened: Open) -> Store:
    """A fresh store."""
    return await opened()


VALUES: list[Value] = [1800.0, -0.5, 1e300, float("inf"), 5e-324, 0, -7, 2**53, 2**53 + 1, -(10**400), True, False,
                       "", "x", "True", "5", "a'b\\", "\0\n\t", "ünï🙂", "\ud800"]  # fmt: skip


async def test_values_keep_their_types(store: Store) -> None:
    """A float stays a float, True is no 1, and no int is too large."""
    await store.insert_parsed([sample(i, {"v": value, "w": 1.0}) for i, value in enumerate(VALUES)])
    history = await read(store, "v", "w")
    assert typed(history.fields["v"]) == typed([*VALUES])
    assert history.fields["w"] == [1.0] * len(VALUES)
    assert history.seq == [100 + i for i in range(len(VALUES))]
    assert history.ts == [NOW + i * 1000 for i in range(len(VALUES))]


async def test_absent_is_none_and_no_field_at_all_still_a_sample(store: Store) -> None:
    """None and NaN are absent; silence differs from a sample without values."""
    lacking: dict[str, Any] = {"a": None, "b": float("nan"), "c": 0.0}
    await store.insert_parsed([sample(0, {"a": 1.0}), sample(1, {}), sample(2, lacking), sample(3, {"d": 1})])
    history = await read(store, "a", "b", "c", "never")
    assert history.ts == [NOW, NOW + 1000, NOW + 2000, NOW + 3000]
    assert history.fields == {"a": [1.0, None, None, None], "b": [None] * 4, "c": [None, None, 0.0, None],
                              "never": [None] * 4}  # fmt: skip
    assert (await read(store)).seq == [100, 101, 102, 103]
    assert (await read(store, "a", "a")).fields == {"a": [1.0, None, None, None]}


async def test_order_and_range(store: Store) -> None:
    """By (ts, seq), both ends of the range included."""
    await store.insert_parsed([sample(i, {"a": float(i)}) for i in (5, 1, 3)])
    await store.insert_parsed([sample(i, {"a": float(i)}) for i in (4, 2, 0)])
    # Two samples of one second: a device whose clock was set back.
    await store.insert_parsed([Sample(PEER, NOW + 2000, 7, NOW, {"a": 7.0})])
    history = await store.history(PEER, ["a"], NOW + 1000, NOW + 4000)
    assert (history.from_ms, history.to_ms) == (NOW + 1000, NOW + 4000)
    assert history.fields["a"] == [1.0, 7.0, 2.0, 3.0, 4.0]
    assert history.seq == [101, 7, 102, 103, 104]
    nothing = await store.history(PEER, ["a"], NOW + 9000, NOW + 9999)
    assert nothing == History(NOW + 9000, NOW + 9999, [], [], {"a": []})


async def test_of_copies_the_later_received_is_read_whole(store: Store) -> None:
    """Across days and inserts; no field of the other copy comes through."""
    await store.insert_parsed([sample(1, {"a": 2.0, "b": 2.0}, received=NOW + DAY), sample(2, {"a": 1.0})])
    await store.insert_parsed([sample(1, {"a": 1.0, "c": 1.0}, received=NOW)])
    await store.insert_parsed([sample(2, {"a": 2.0}), sample(2, {"a": 3.0})])
    history = await read(store, "a", "b", "c")
    assert history.seq == [101, 102]
    assert history.fields == {"a": [2.0, 3.0], "b": [2.0, None], "c": [None, None]}


async def test_peers_are_apart(store: Store) -> None:
    """Tenant, device and message type each tell rows apart."""
    peers = [PEER, *OTHERS]
    await store.insert_parsed([sample(0, {"a": float(i)}, peer=peer) for i, peer in enumerate(peers)])
    await store.insert_raw([raw(0, peer=peer, body=bytes([i])) for i, peer in enumerate(peers)])
    for i, peer in enumerate(peers):
        assert (await read(store, "a", peer=peer)).fields["a"] == [float(i)]
        assert [row.body for row in await store.raw(peer, NOW, NOW)] == [bytes([i])]


async def test_without_seq_or_rows(store: Store) -> None:
    """Nothing to store is no error, and stores nothing."""
    await store.insert_parsed([])
    await store.insert_raw([])
    await store.insert_parsed([Sample(PEER, NOW, None, NOW, {"a": 1.0})])
    await store.insert_parsed([Sample(PEER, NOW, None, NOW, {"a": 1.0}), sample(1, {"a": 2.0})])
    assert (await read(store, "a")).fields["a"] == [2.0]
    assert await store.raw(PEER, 0, NOW + DAY) == []
    assert await store.last_seen("duco") == {}


async def test_machine_with_a_wrong_clock(store: Store) -> None:
    """A row is where its own clock says, and is kept by the time of its arrival."""
    odd = [Sample(PEER, ts, 1, NOW, {"a": 1.0}) for ts in (-5, 0, 4_000_000_000_000_000)]
    await store.insert_parsed(odd)
    assert (await store.history(PEER, [], -(2**62), 2**62)).ts == [-5, 0, 4_000_000_000_000_000]
    await store.expire(NOW)
    assert len((await store.history(PEER, [], -(2**62), 2**62)).ts) == 3


async def test_raw_rows_come_back_as_they_were(store: Store) -> None:
    """Any bytes, any part, each kind."""
    every = bytes(range(256))
    rows = [
        raw(0, streams=b"\0", order=every, times=every * 63, data=every * 200),
        raw(1, 0, body=b"\xff\0'\\"),
        raw(1, 1, data=b"x" * 127, parts=2),
        raw(2, data=b"x" * 128, parts=65535),
        RawSecond(PEER, NOW + 3000, 103, 65535, NOW, True, "unread", body=b"?"),
        RawSecond(PEER, NOW + 4000, 2**40, 0, NOW, False, "json1", body=b"{}"),
    ]
    await store.insert_raw(rows[::-1])
    await store.insert_raw(rows[2:4])
    assert await store.raw(PEER, NOW, NOW + 4000) == rows
    assert await store.raw(PEER, NOW + 1000, NOW + 2000) == rows[1:4]


async def test_of_raw_copies_the_later_received_is_read(store: Store) -> None:
    """Also across days."""
    await store.insert_raw([raw(0, received=NOW + 2 * DAY, body=b"late")])
    await store.insert_raw([raw(0, received=NOW, body=b"early"), raw(1, body=b"same")])
    await store.insert_raw([raw(1, body=b"same")])
    assert [row.body for row in await store.raw(PEER, NOW, NOW + 9000)] == [b"late", b"same"]


async def test_last_seen(store: Store) -> None:
    """The newest position counts; what arrived last is told beside it."""
    await store.insert_raw([raw(0), raw(2), raw(1), raw(0, peer=OTHERS[0]), raw(5, peer=OTHERS[2])])
    await store.insert_raw([raw(1, received=NOW - DAY)])  # an old batch changes nothing
    batch = [raw(i, received=NOW + 60_000, peer=OTHERS[1]) for i in (3, 5, 4)]  # one message, one arrival
    await store.insert_raw(batch)
    assert await store.last_seen("duco") == {
        PEER: LastSeen(NOW + 2000, NOW + 2400, 102, False, NOW + 2400),
        OTHERS[1]: LastSeen(NOW + 5000, NOW + 60_000, 105, True, NOW + 60_000),
        OTHERS[2]: LastSeen(NOW + 5000, NOW + 5400, 105, True, NOW + 5400),
    }
    assert await store.last_seen("other") == {OTHERS[0]: LastSeen(NOW, NOW + 400, 100, False, NOW + 400)}
    assert await store.last_seen("") == {}


async def test_last_seen_while_a_spool_drains(store: Store) -> None:
    """Old seconds that arrive beside the live ones are not the machine's newest; a machine that lost its memory of
    seq, and begins below what it had, is seen by what arrives."""
    await store.insert_raw([raw(101), raw(1, received=NOW + 101_900)])
    newest = LastSeen(NOW + 101_000, NOW + 101_400, 201, True, NOW + 101_900)
    assert (await store.last_seen("duco"))[PEER] == newest
    await store.insert_raw([raw(3, received=NOW + 200_000)])
    assert (await store.last_seen("duco"))[PEER] == LastSeen(NOW + 3000, NOW + 200_000, 103, True, NOW + 200_000)


async def _fill_days(store: Store, days: range) -> None:
    await store.insert_raw([raw(-d, received=NOW - d * DAY) for d in days])
    await store.insert_parsed([sample(-d, {"a": 1.0}, received=NOW - d * DAY) for d in days])


async def _days(store: Store) -> tuple[list[int], list[int]]:
    rows = await store.raw(PEER, NOW - DAY, NOW + DAY)
    return [100 - row.seq for row in rows[::-1]], [100 - seq for seq in (await read(store)).seq[::-1]]


async def test_days_past_their_retention_are_dropped(opened: Open) -> None:
    """Each table has its own."""
    store = await opened(raw_days=2, parsed_days=4)
    await _fill_days(store, range(-1, 7))
    await store.expire(NOW)
    # A day goes when its last moment is past the retention.
    assert await _days(store) == ([-1, 0, 1, 2], [-1, 0, 1, 2, 3, 4])


async def test_a_clock_that_is_years_ahead_drops_nothing_young(opened: Open) -> None:
    """After the day on which the newest came, time stands still."""
    store = await opened(raw_days=2, parsed_days=4)
    await _fill_days(store, range(0, 7))
    await store.expire(NOW + 3650 * DAY)
    assert await _days(store) == ([0, 1], [0, 1, 2, 3])


async def test_the_oldest_are_dropped_over_the_limit_but_never_today(opened: Open) -> None:
    """Each table has its own limit."""
    store = await opened(raw_days=100, parsed_days=100, raw_limit_gb=1e-9, parsed_limit_gb=1)
    await _fill_days(store, range(0, 4))
    await store.expire(NOW)
    assert await _days(store) == ([0], [0, 1, 2, 3])


@pytest.mark.parametrize("name", ["a'b\\", "\\'", "ünï🙂", "%s%(a)d", "", "a\0b", "\n", "`x`", "{a:String}", "?", "--",
                                  "\ud800", "x" * 5000])  # fmt: skip
async def test_names_of_any_kind(store: Store, name: str) -> None:
    """No name breaks out of a statement or meets another one."""
    await store.insert_parsed([sample(0, {"b": 1.0, name: 2.0, name + "'": 3.0})])
    assert (await read(store, name, "b")).fields == {name: [2.0], "b": [1.0]}


async def test_many_fields(store: Store) -> None:
    """All fields of a large machine at once, in any order."""
    payload: dict[str, Value] = {f"field_of_a_long_name_{i}": float(i) for i in range(5000)}
    await store.insert_parsed([sample(0, payload), sample(1, dict(reversed(payload.items())))])
    history = await read(store, *payload)
    assert history.fields == {name: [value] * 2 for name, value in payload.items()}


_VALUE = st.floats(allow_nan=False) | st.integers(-(2**200), 2**200) | st.booleans() | st.text(max_size=20)
_EXAMPLE = count()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payloads=st.lists(st.dictionaries(st.text(max_size=8), _VALUE, max_size=6), min_size=1, max_size=9))
async def test_any_payload(store: Store, payloads: list[dict[str, Value]]) -> None:
    """Whatever goes in comes out."""
    first = next(_EXAMPLE) * 10  # the store is the same in every example
    await store.insert_parsed([sample(first + i, payload) for i, payload in enumerate(payloads)])
    names = sorted({name for payload in payloads for name in payload})
    history = await store.history(PEER, names, NOW + first * 1000, NOW + (first + 9) * 1000)
    assert len(history.ts) == len(payloads)
    for name in names:
        assert typed(history.fields[name]) == typed([payload.get(name) for payload in payloads])


async def test_a_store_that_works_passes_its_check(store: Store) -> None:
    """Before its first use and after it."""
    await store.check()
    await store.insert_parsed([sample(0, {"a": 1.0})])
    await store.check()


async def test_closed(store: Store) -> None:
    """Closing twice is fine, and then nothing works."""
    await store.close()
    await store.close()
    with pytest.raises(TransportError):
        await store.insert_parsed([sample(0, {})])
    with pytest.raises(TransportError):
        await read(store, "a")
    with pytest.raises(TransportError):
        await store.check()


@pytest.mark.parametrize("bad", [{"seq": 2**63}, {"ts": -(2**63) - 1}, {"payload": {"a": b"bytes"}}])
async def test_what_does_not_fit_is_a_transport_error(store: Store, bad: dict[str, Any]) -> None:
    """And the next insert is not hurt."""
    fields = {"ts": NOW, "seq": 1, "payload": {}, **bad}
    with pytest.raises(TransportError):
        await store.insert_parsed([Sample(PEER, fields["ts"], fields["seq"], NOW, fields["payload"])])
    await store.insert_parsed([sample(0, {"a": 1.0})])
    assert (await read(store, "a")).fields["a"] == [1.0]
