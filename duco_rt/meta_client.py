"""MetaAPI asked over HTTP: what the command line uses while another process holds the data directory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import aiohttp
import msgspec

from duco_rt.errors import BadRequest, Conflict, NotFound, TransportError
from duco_rt.model import Device, ParsingFile

_ERRORS = {400: BadRequest, 404: NotFound, 409: Conflict}


class MetaClient:
    """Devices and parsings of a running process."""

    def __init__(self, url: str) -> None:
        if not url:
            raise TransportError("the process that holds the data directory is still starting; try again")
        self._url = url.rstrip("/") + "/api/metaapi"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def devices(self) -> list[Device]:
        """All devices."""
        rows = await self._ask("GET", "/devices")
        return [Device(row["chassisId"], row["tenant"], row["name"], row["parsing"]) for row in rows]

    async def put_device(self, device: Device) -> None:
        """Add or replace."""
        body = {"tenant": device.tenant, "name": device.name, "parsing": device.parsing}
        await self._ask("PUT", f"/devices/{device.chassis_id}", body)

    async def remove_device(self, chassis_id: str) -> None:
        """Forget a device."""
        await self._ask("DELETE", f"/devices/{chassis_id}")

    async def put_parsing(self, name: str, files: Sequence[ParsingFile]) -> None:
        """Keep a new version."""
        await self._ask("PUT", f"/parsings/{name}", {"files": msgspec.to_builtins(files)})

    async def _ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  # JSON
        try:
            async with self._session.request(method, self._url + path, json=body) as response:
                answer = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as e:
            raise TransportError(f"{method} {self._url}{path}: {e}") from e
        if response.status >= 400:
            raise _ERRORS.get(response.status, TransportError)(answer["error"]["message"])
        return answer
