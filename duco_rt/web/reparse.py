"""`POST /api/reparse`: read a range again in this process, and tell how far it is, a JSON line at a time."""

from __future__ import annotations

import asyncio

import msgspec
import structlog
from aiohttp import web

from duco_rt.errors import Conflict, DucoError
from duco_rt.pipeline.reparse import Progress, Reparse
from duco_rt.pipeline.reparse_jobs import Asked, Reparses
from duco_rt.web.access import audit
from duco_rt.web.access.door import identity_of, require, unknown_device
from duco_rt.web.params import body_of

log = structlog.get_logger()

_TAKES_S = 30.0
"""A client that takes no line for so long is gone."""


class ReparseBody(msgspec.Struct, rename={"from_": "from"}):
    """Whose range: Unix ms, or texts as the command line takes them, such as `-2h`."""

    device: str
    from_: int | str
    to: int | str


class ReparseApi:
    """The endpoint. `reparses` is None in a process whose roles use no store, or do not ask MetaAPI."""

    def __init__(self, reparses: Reparses | None) -> None:
        self._reparses = reparses

    def stop(self) -> None:
        """The process ends: so do the runs, in order."""
        if self._reparses is not None:
            self._reparses.stop()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Lines `{"note": text}` first, then how far it is twice a second, and at last `{"result": …}`, or
        `{"error": …}` where it ended before. A client that goes away ends the run; asked again, it goes on."""
        if self._reparses is None:
            raise Conflict(
                "this process has neither role process nor studio, thus no store to read again;"
                " name the data_dir of a process that has"
            )
        body = await body_of(request, ReparseBody)
        audit.note(request, device=body.device)
        if not identity_of(request).may("admin"):
            tenant = await self._reparses.tenant_of(body.device)
            require(request, "admin", tenant, unknown_device(body.device))
        async with self._reparses.begin(Asked(body.device, str(body.from_), str(body.to))) as job:
            response = web.StreamResponse(headers={"Cache-Control": "no-store"})
            response.content_type = "application/x-ndjson"
            try:
                await response.prepare(request)
                await _tell(job, response)
                await response.write_eof()
            except (ConnectionError, TimeoutError):
                log.info("who asked to read again went away", chassis_id=body.device)
        return response


async def _tell(job: Reparse, response: web.StreamResponse) -> None:
    async def line(value: object) -> None:
        async with asyncio.timeout(_TAKES_S):
            await response.write(msgspec.json.encode(value) + b"\n")

    async def progress(now: Progress) -> None:
        await line(now)

    for note in job.notes:
        await line({"note": note})
    try:
        await line({"result": await job.watch(progress)})
    except DucoError as e:
        await line({"error": {"code": "unavailable", "message": str(e)}})
    except ExceptionGroup:  # the answer has begun: no other status can tell it
        log.exception("reading again failed")
        await line({"error": {"code": "internal", "message": "the server failed; its log says how"}})
