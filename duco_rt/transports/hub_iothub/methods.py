"""Direct methods through IoT Hub's service API, with a SAS token of a policy that has "service connect"."""

from __future__ import annotations

import asyncio
import json
import math
import re
import ssl
from typing import Any
from urllib.parse import quote

import aiohttp

from duco_rt.clock import Clock
from duco_rt.errors import DeviceOffline, DeviceTimeout, NotFound, TransportError
from duco_rt.model import MethodResult
from duco_rt.transports.certificates import explained
from duco_rt.transports.hub_iothub.strings import ServiceString, sas_token

API_VERSION = "2021-04-12"

_TOKEN_S = 3600
_TOKEN_LEFT_S = 300
_CONNECT_S = 5.0
_ANSWER_S_LEAST, _ANSWER_S_MOST = 5, 300
"""What the API takes; a shorter time is kept here."""

_CODE = re.compile(r"errorCode\W{1,8}(\d{6})")
"""Found in any depth of quotes: the API packs its error, as JSON text, into JSON."""

_BY_STATUS = {429: 429001, 504: 504101}


class Methods:
    """Calls methods of devices. The first call connects."""

    def __init__(self, service: ServiceString, tls: ssl.SSLContext, clock: Clock) -> None:
        self._service, self._tls, self._clock = service, tls, clock
        self._session: aiohttp.ClientSession | None = None
        self._token, self._token_ends_s = "", 0.0
        self.name = f"IoT Hub {service.host}:{service.port}"

    async def call(self, device_id: str, method: str, payload: dict[str, object], timeout_s: float) -> MethodResult:
        """The device's own answer; DeviceOffline, DeviceTimeout, NotFound, or TransportError saying what is wrong."""
        body = {
            "methodName": method,
            "payload": payload,
            "responseTimeoutInSeconds": min(max(math.ceil(timeout_s), _ANSWER_S_LEAST), _ANSWER_S_MOST),
            "connectTimeoutInSeconds": 0,
        }
        path = f"/twins/{quote(device_id, safe='')}/methods"
        try:
            async with asyncio.timeout(timeout_s):
                status, text = await self._request("POST", path, body)
        except TimeoutError as e:
            raise _too_late(device_id, method, timeout_s) from e
        if status != 200:
            raise self._refused(status, text, device_id, _too_late(device_id, method, timeout_s))
        return self._answer(text)

    def _answer(self, text: str) -> MethodResult:
        try:
            found = json.loads(text)
            status, payload = int(found["status"]), found.get("payload")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
            raise TransportError(f"{self.name}: cannot read the method's answer {text[:200]!r}") from e
        if not isinstance(payload, dict):
            payload = {} if payload is None else {"value": payload}
        return MethodResult(status, payload)

    def _refused(self, status: int, text: str, device_id: str, too_late: DeviceTimeout) -> Exception:
        """The API's error as ours. 404103: known, not connected. 404104: its connection ended meanwhile."""
        found = _CODE.search(text)
        code = int(found[1]) if found else _BY_STATUS.get(status, 0)
        match code:
            case 404001:
                return NotFound(f"{self.name} knows no device {device_id}")
            case 404103 | 404104:
                return DeviceOffline(f"device {device_id} is not connected to {self.name}")
            case 504101:
                return too_late
            case 429001 | 429002 | 429003:
                return TransportError(f"{self.name}: throttled: more calls than its units allow; try again later")
            case 403002:
                return TransportError(f"{self.name}: the day's message quota is used up, until midnight UTC")
            case _ if status == 401:
                return TransportError(f"{self.name}: refused the key of policy {self._service.policy}: {text[:200]}")
            case _:
                return TransportError(f"{self.name}: HTTP {status} {code or ''}: {text[:200]}")

    async def check(self, within_s: float) -> None:
        """Raises TransportError where the API does not answer, or refuses the key."""
        try:
            async with asyncio.timeout(within_s):
                status, text = await self._request("GET", "/statistics/service", None)
        except TimeoutError as e:
            raise TransportError(f"{self.name}: no answer within {within_s:g} s") from e
        # a policy without this right, and a throttled call, are an answer all the same
        if status == 401 or status >= 500:
            raise self._refused(status, text, "", DeviceTimeout(f"{self.name}: HTTP {status}"))

    async def _request(self, method: str, path: str, body: dict[str, object] | None) -> tuple[int, str]:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S)
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._tls), timeout=timeout)
        url = f"https://{self._service.host}:{self._service.port}{path}?api-version={API_VERSION}"
        more: dict[str, Any] = {"headers": {"Authorization": self._authorization()}}
        if body is not None:
            more["json"] = body
        try:
            async with self._session.request(method, url, **more) as response:
                return response.status, await response.text()
        except (aiohttp.ClientError, OSError) as e:
            if isinstance(e, TimeoutError) and not isinstance(e, aiohttp.ClientError):
                raise
            raise TransportError(f"{self.name}: {explained(f'{type(e).__name__}: {e}', 'hub')}") from e

    def _authorization(self) -> str:
        now_s = self._clock.wall_ms() / 1000
        if self._token_ends_s - now_s < _TOKEN_LEFT_S:
            ends_s = int(now_s) + _TOKEN_S
            self._token = sas_token(self._service.host, self._service.key, ends_s, self._service.policy)
            self._token_ends_s = ends_s
        return self._token

    async def close(self) -> None:
        """Twice is safe."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _too_late(device_id: str, method: str, timeout_s: float) -> DeviceTimeout:
    return DeviceTimeout(f"device {device_id} did not answer {method} within {timeout_s:g} s")
