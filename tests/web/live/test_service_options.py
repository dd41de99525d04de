"""What a client may ask for beside a plain list of fields, against the running server."""

from __future__ import annotations

import pytest

from tests.web.conftest import NOW_MS, Site
from tests.web.live.viewing import is_quiet, publish, receive, viewing


@pytest.mark.parametrize("kind", ["ADD_FIELDS", "REMOVE_FIELDS"])
async def test_a_change_needs_a_list(site: Site, kind: str) -> None:
    """Before the first one it is an error that says so, and nothing is followed."""
    async with viewing(site) as socket:
        await socket.send_json({"type": kind, "payload": ["a"], "ack": True})
        error = (await receive(socket))["payload"]
        assert error["code"] == "bad_fields" and kind in error["message"]
        assert site.metrics.value("live_peers") == 0


async def test_lists_grow_and_shrink(site: Site) -> None:
    """By names and patterns, at once for the next sample; who asks is told the list and what of it is unknown."""
    async with viewing(site, ["speed"]) as socket:

        async def change(kind: str, *entries: str) -> object:
            await socket.send_json({"type": kind, "payload": entries, "ack": True})
            return (await receive(socket))["payload"]

        sample: dict[str, object] = {"speed": 1, "x_1": 2, "x_2": 3, "y": 4}
        known = {"fields": ["speed", "y", "x_*"], "unknown": ["y", "x_*"]}
        assert await change("ADD_FIELDS", "x_*", "speed", "y") == known
        await publish(site, sample, 1)
        assert (await receive(socket))["payload"] == {"speed": 1, "y": 4, "x_1": 2, "x_2": 3}
        assert await change("ADD_FIELDS") == known | {"unknown": []}  # the machine has said them
        assert await change("REMOVE_FIELDS", "x_1", "y") == {"fields": ["speed", "x_*"], "unknown": []}
        await publish(site, sample, 2)
        assert (await receive(socket))["payload"] == {"speed": 1, "x_1": 2, "x_2": 3}
        await socket.send_json({"type": "REMOVE_FIELDS", "payload": ["x_*", "speed"]})
        await socket.send_json({"type": "ADD_FIELDS", "payload": ["y"]})
        assert await change("ADD_FIELDS") == {"fields": ["y"], "unknown": []}
        await publish(site, sample, 3)
        assert (await receive(socket))["payload"] == {"y": 4}


async def test_another_tenants_names_are_unknown(site: Site) -> None:
    """What a list is answered with says nothing of a machine that is not the tenant's."""
    path = "/api/resources/other/_common/datasets/DUCO_001/live"
    async with viewing(site, None, path) as socket:
        await socket.send_json({"type": "INIT_FIELD_LIST", "payload": ["speed", "*"], "ack": True})
        assert (await receive(socket))["payload"]["unknown"] == ["speed", "*"]


async def test_a_rate_of_its_own(site: Site) -> None:
    """At once, then the newest values when it is time, which say for how many samples they stand."""
    async with viewing(site, ["a", "b"], max_hz=5) as socket:
        await publish(site, {"a": 1, "b": 1}, 1)
        assert (await receive(socket))["seq"] == 1
        await publish(site, {"a": 2, "b": 2}, 2)
        await publish(site, {"a": 3}, 3)
        assert await is_quiet(socket)
        assert await receive(socket) == {
            "type": "LIVE_DATA",
            "payload": {"a": 3, "b": 2},
            "ts": NOW_MS + 3000,
            "seq": 3,
            "merged": 2,
            "ts_of": {"b": NOW_MS + 2000},
        }


async def test_only_what_changed(site: Site) -> None:
    """A sample without any change still comes, with nothing in it."""
    async with viewing(site, ["a", "b"], on_change=True) as socket:
        for seq, payload in enumerate(({"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2}), 1):
            await publish(site, dict(payload), seq)
        assert [(await receive(socket))["payload"] for _ in range(3)] == [{"a": 1, "b": 1}, {"b": 2}, {}]


async def test_a_list_that_would_grow_too_long_stays_as_it_is(site: Site) -> None:
    """What was added before stays, and the error says why the rest was not."""
    async with viewing(site, ["a"]) as socket:
        for first in (0, 40):
            await socket.send_json({"type": "ADD_FIELDS", "payload": [f"{n}_*" for n in range(first, first + 40)]})
        error = (await receive(socket))["payload"]
        assert error["code"] == "bad_fields" and "80 patterns" in error["message"]
        await publish(site, {"a": 1, "1_x": 2, "79_x": 3}, 1)
        assert (await receive(socket))["payload"] == {"a": 1, "1_x": 2}


async def test_a_client_that_asks_for_nothing_sees_samples_and_errors_alone(site: Site) -> None:
    """Through holes, swaps, other viewers' wishes and its own mistakes: no other type, no other key."""
    plain = {"type": "INIT_FIELD_LIST", "payload": ["a"]}
    async with viewing(site) as old, viewing(site, ["*"], since=5, max_hz=1, stats=["min"]):
        await old.send_json(plain)
        await old.send_str("?")
        found = [await receive(old)]
        for seq in (1, 2, 4, 3, 7, 8, 1):
            await publish(site, {"a": seq}, seq)
        await old.send_json(plain | {"payload": ["a", "b"]})
        while found[-1].get("seq") != 8:
            found.append(await receive(old))
        assert [message["type"] for message in found] == ["ERROR"] + ["LIVE_DATA"] * 6
        assert [message["seq"] for message in found[1:]] == [1, 2, 3, 4, 7, 8]
        assert {tuple(message) for message in found[1:]} == {("type", "payload", "ts", "seq")}
