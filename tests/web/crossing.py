"""How the limits of a process are crossed by those who ask it, and what they get: for `test_limits`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from duco_rt import body
from duco_rt.model import HubMessage, RawMessage
from duco_rt.pipeline.parse import Parser, Problems
from tests.web.conftest import BASE, NOW_MS, Site
from tests.web.live.viewing import LIVE, becomes, receive, viewing
from tests.web.raw import Raw

Found = tuple[int, str]
"""What was answered: a status, or the code of a WebSocket's close; and the error's code, empty for none."""
Cross = Callable[[Site, AsyncExitStack], Awaitable[Found]]


async def get(site: Site, path: str, **more: Any) -> Found:
    """What a request is answered with."""
    status, answer = await site.ask(more.pop("method", "GET"), path, **more)
    return status, answer["error"]["code"] if isinstance(answer, dict) and "error" in answer else ""


async def opened(site: Site, text: str = "") -> Raw:
    """A connection that says something, or nothing."""
    connection = await Raw.open(site.url)
    connection.send(text)
    return connection


async def cut(connection: Raw) -> Found:
    """A connection that is closed without a word."""
    assert await connection.ended()
    return 0, ""


async def errors(socket: Any, count: int = 1) -> Found:
    """The code of the first ERROR of so many messages."""
    found = [await receive(socket) for _ in range(count)]
    codes = [each["payload"]["code"] for each in found if each["type"] == "ERROR"]
    return 0, codes[0] if codes else ""


async def _connections(site: Site, stack: AsyncExitStack) -> Found:
    await stack.enter_async_context(viewing(site, ["a"]))
    connection = await Raw.open(site.url)
    answer = await connection.answer()
    assert answer.ends
    return answer.status, answer.body["error"]["code"]


async def _viewers(site: Site, stack: AsyncExitStack) -> Found:
    headers = await site.token("anna", duco="viewer") if site.web.auth == "tokens" else {}
    await stack.enter_async_context(site.session.ws_connect(LIVE, headers=headers))
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await site.session.ws_connect(LIVE, headers=headers)
    status, code = await get(site, LIVE, headers=headers)
    assert status == refused.value.status
    return status, code


async def _address(site: Site, _: AsyncExitStack) -> Found:
    first = await Raw.open(site.url, "127.0.0.2")
    first.ask("/healthz")
    assert (await first.answer()).status == 200
    answer = await (await Raw.open(site.url, "127.0.0.2")).answer()
    return answer.status, answer.body["error"]["code"]


async def _tenants_viewers(site: Site, stack: AsyncExitStack) -> Found:
    one, other = [await site.token(name, duco="viewer") for name in ("anna", "bert")]
    await stack.enter_async_context(site.session.ws_connect(LIVE, headers=one))
    return await get(site, LIVE, headers=other)


async def _tenants_requests(site: Site, _: AsyncExitStack) -> Found:
    tokens = [await site.token(f"anna{number}", duco="viewer") for number in range(5)]
    return [await get(site, BASE, headers=each) for each in tokens][-1]


async def _takes_nothing(site: Site, _: AsyncExitStack) -> Found:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", int(site.url.rpartition(":")[2])))
        client.setblocking(False)
        request = b"GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
        await asyncio.get_running_loop().sock_sendall(client, request * 400)
        await becomes(site, "web_cut_total", 1, why="write")
    return 0, ""


async def _requests(site: Site, _: AsyncExitStack) -> Found:
    anna = await site.token("anna", duco="viewer")
    await asyncio.gather(*(get(site, BASE, headers=anna) for _ in range(4)))
    return await get(site, BASE, headers=anna)


async def _denied(site: Site, _: AsyncExitStack) -> Found:
    wrong = [{"Authorization": f"Bearer duco_{number:016x}_{'x' * 43}"} for number in range(5)]
    found = [await get(site, BASE, headers=each) for each in wrong]
    assert found[:4] == [(401, "unauthorized")] * 4
    return found[4]


async def _messages(site: Site, stack: AsyncExitStack) -> Found:
    socket = await stack.enter_async_context(viewing(site))
    for _ in range(25):
        await socket.send_json({"type": "STATUS"})
    found = await errors(socket, 26)
    assert site.metrics.value("live_late_messages_total") >= 1
    return found


async def _users_messages(site: Site, stack: AsyncExitStack) -> Found:
    anna = await site.token("anna", duco="viewer")
    two = [await stack.enter_async_context(site.session.ws_connect(LIVE, headers=anna)) for _ in range(2)]
    for _ in range(15):
        await two[0].send_json({"type": "STATUS"})
        await two[1].send_json({"type": "STATUS"})
    codes = {code for _, code in [await errors(socket, 15) for socket in two]}
    assert site.metrics.value("live_late_messages_total") >= 5
    return 0, max(codes)


async def _say(site: Site, stack: AsyncExitStack, **message: object) -> Found:
    socket = await stack.enter_async_context(viewing(site))
    await socket.send_json({"type": "INIT_FIELD_LIST", "payload": ["a"], **message})
    return await errors(socket)


async def _too_long(site: Site, stack: AsyncExitStack) -> Found:
    socket = await stack.enter_async_context(viewing(site))
    await socket.send_str("x" * 2000)
    async for _ in socket:
        pass
    return socket.close_code or 0, ""


async def _long_head(site: Site, _: AsyncExitStack) -> Found:
    answer = await (await opened(site, f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {'x' * 2000}\r\n\r\n")).answer()
    return answer.status, answer.body["error"]["code"]


async def _late_head(site: Site, _: AsyncExitStack) -> Found:
    return await cut(await opened(site, "GET / HTTP/1.1\r\nHost: loc"))


async def _idle(site: Site, _: AsyncExitStack) -> Found:
    connection = await opened(site, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await connection.answer()).status == 200
    return await cut(connection)


async def _late_body(site: Site, _: AsyncExitStack) -> Found:
    connection = await opened(site)
    connection.ask(f"{BASE}/_groups", "Content-Length: 100", method="POST")
    answer = await connection.answer()
    return answer.status, answer.body["error"]["code"]


async def _parsing(site: Site, _: AsyncExitStack) -> Found:
    site_files = [{"name": "a.dbc", "text": 'VERSION ""\n' + "\n" * 2000}] * 3
    return await get(site, "/api/metaapi/parsings/large", method="PUT", body={"files": site_files})


async def _inflated(_: Site, __: AsyncExitStack) -> Found:
    problems, bomb = Problems(), body.deflate(b"\0" * 100_000)
    message = HubMessage("D", "vehicle_can", False, 1, NOW_MS, body.CAN_TYPE, "deflate", bomb)
    [parsed] = Parser(("vehicle_can",), inflated_bytes_max=50_000).parse(
        RawMessage(message, "duco", NOW_MS), None, problems
    )
    assert parsed.sample is None and "hub.inflated_bytes_max" in problems.why and parsed.raw.body == bomb
    return 0, "unread_body" if problems["unread_body"] == 1 else ""


def history(query: str) -> Cross:
    """A history request that asks for too much."""

    async def cross(site: Site, _: AsyncExitStack) -> Found:
        return await get(site, f"{BASE}/DUCO_001/history?{query}")

    return cross


HOURS_3 = f"from={NOW_MS - 3 * 3_600_000}&to={NOW_MS}"
CROSSED: dict[str, tuple[dict[str, object], Cross, Found]] = {
    "web.connections_max": ({"connections_max": 1}, _connections, (503, "too_many_connections")),
    "web.connections_address_max": ({"connections_address_max": 1}, _address, (429, "too_many_connections")),
    "web.write_timeout_s": ({"write_timeout_s": 0.1}, _takes_nothing, (0, "")),
    "web.viewers_tenant_max": (
        {"viewers_tenant_max": 1, "auth": "tokens"}, _tenants_viewers, (429, "too_many_viewers")
    ),
    "web.requests_tenant_per_s_max": (
        {"requests_tenant_per_s_max": 2, "auth": "tokens"}, _tenants_requests, (429, "too_many_requests")
    ),
    "web.viewers_max": ({"viewers_max": 1}, _viewers, (503, "too_many_viewers")),
    "web.viewers_user_max": ({"viewers_user_max": 1, "auth": "tokens"}, _viewers, (429, "too_many_viewers")),
    "web.requests_user_per_s_max": (
        {"requests_user_per_s_max": 2, "auth": "tokens"}, _requests, (429, "too_many_requests")
    ),
    "web.denied_per_s_max": ({"denied_per_s_max": 2, "auth": "tokens"}, _denied, (429, "too_many_requests")),
    "web.messages_per_s_max": ({"messages_per_s_max": 10}, _messages, (0, "too_many_messages")),
    "web.messages_user_per_s_max": (
        {"messages_user_per_s_max": 10, "auth": "tokens"}, _users_messages, (0, "too_many_messages")
    ),
    "web.fields_max": (
        {"fields_max": 10}, lambda site, stack: _say(site, stack, payload=["a"] * 11), (0, "bad_fields")
    ),
    "web.message_bytes_max": ({"message_bytes_max": 1000}, _too_long, (1009, "")),
    "web.header_bytes_max": ({"header_bytes_max": 1024}, _long_head, (431, "head_too_large")),
    "web.header_timeout_s": ({"header_timeout_s": 1.0}, _late_head, (0, "")),
    "web.body_timeout_s": ({"body_timeout_s": 0.05}, _late_body, (408, "request_timeout")),
    "web.idle_timeout_s": ({"idle_timeout_s": 1.0}, _idle, (0, "")),
    "web.body_bytes_max": (
        {"body_bytes_max": 1000},
        lambda site, _: get(site, f"{BASE}/_groups", method="POST", body={"x": "x" * 2000}),
        (413, "request_entity_too_large"),
    ),
    "web.history_fields_max": ({"history_fields_max": 2}, history("fields=a,b,c"), (400, "bad_request")),
    "web.history_hours_max": ({"history_hours_max": 2}, history(f"fields=a&{HOURS_3}"), (400, "bad_request")),
    "web.history_values_max": ({"history_values_max": 1000}, history(f"fields=a&{HOURS_3}"), (400, "bad_request")),
    "web.full_hours_max": (
        {"full_hours_max": 2}, history(f"fields=a&resolution=full&{HOURS_3}"), (400, "bad_request")
    ),
    "web.resume_s_max": ({"resume_s_max": 60}, lambda site, stack: _say(site, stack, history=61), (0, "bad_option")),
    "meta.parsing_bytes_max": ({}, _parsing, (400, "bad_request")),
    "hub.inflated_bytes_max": ({}, _inflated, (0, "unread_body")),
}  # fmt: skip
"""By key: the server's limits, who crosses one, and what that gets."""
