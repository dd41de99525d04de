"""IoT Hub's service API for direct methods: HTTPS with a SAS token; errors packed as Azure packs them."""

from __future__ import annotations

import json
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

Call = Callable[[str, str, bytes, float], Awaitable[tuple[int, bytes] | None]]


class MethodsPeer:
    """The API's server. `refusal(token)` says why a token is no good; `known`: the devices of the registry."""

    def __init__(self, tls: ssl.SSLContext, refusal: Callable[[str], str], known: set[str], call: Call) -> None:
        self.tls, self.refusal, self.known, self.call = tls, refusal, known, call
        self.failing: tuple[int, int] | None = None
        self.requests: list[dict[str, object]] = []
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def start(self, bind: str, port: int = 0) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_post("/twins/{device}/methods", self._method)
        app.router.add_get("/statistics/service", self._statistics)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, bind, port or self.port, ssl_context=self.tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """End it."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _problem(self, request: web.Request) -> web.Response | None:
        why = self.refusal(request.headers.get("Authorization", ""))
        if why or request.query.get("api-version") != "2021-04-12":
            return _error(401, 401002, why or "api-version")
        return _error(*self.failing, "told to fail") if self.failing else None

    async def _statistics(self, request: web.Request) -> web.Response:
        return self._problem(request) or web.json_response({"connectedDeviceCount": 0})

    async def _method(self, request: web.Request) -> web.Response:
        if (problem := self._problem(request)) is not None:
            return problem
        asked = await request.json()
        self.requests.append(asked)
        device, answer_s = request.match_info["device"], asked["responseTimeoutInSeconds"]
        if not (5 <= answer_s <= 300 and 0 <= asked["connectTimeoutInSeconds"] <= 300):
            return _error(400, 400004, "a time-out out of range")
        if device not in self.known:
            return _error(404, 404001, f"device {device} not registered")
        try:
            answer = await self.call(device, asked["methodName"], json.dumps(asked["payload"]).encode(), answer_s)
        except KeyError:
            return _error(404, 404103, "Timed out waiting for device to connect.")
        if answer is None:
            return _error(504, 504101, "Timed out waiting for the response from device.")
        return web.json_response({"status": answer[0], "payload": json.loads(answer[1] or b"null")})


def _error(status: int, code: int, text: str) -> web.Response:
    inner = json.dumps({"errorCode": code, "trackingId": "0-G:0", "message": text, "timestampUtc": "2026-01-01"})
    return web.json_response({"Message": inner, "ExceptionMessage": ""}, status=status)
