"""`POST /api/backup` and `POST /api/restore`: a backup out of a process that runs, and one into it."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import structlog
from aiohttp import web

from duco_rt.clock import Clock
from duco_rt.disk.backup import snapshot
from duco_rt.disk.data_dir import check_room
from duco_rt.disk.data_version import RESTORE_STAGE
from duco_rt.disk.restore import UPLOAD, restore_running
from duco_rt.errors import BadRequest, Conflict, TransportError
from duco_rt.web.params import reply

log = structlog.get_logger()

_TAKES_S = 60.0
"""A client that takes, or sends, nothing for so long is gone."""

_PIECE_BYTES = 1024 * 1024


class BackupApi:
    """The endpoints. `store` and `meta`: those that this process has open, None for none."""

    def __init__(self, folder: Path, store: object, meta: object, clock: Clock) -> None:
        self._folder = folder
        self._store = store
        self._meta = meta
        self._clock = clock
        self._busy = ""

    def routes(self) -> list[web.RouteDef]:
        """Both of them."""
        return [web.post("/api/backup", self.backup), web.post("/api/restore", self.restore)]

    @asynccontextmanager
    async def _alone(self, what: str) -> AsyncIterator[None]:
        if self._busy:
            raise Conflict(f"{self._busy} is under way; ask again when it is done")
        self._busy = what
        try:
            yield
        finally:
            self._busy = ""

    async def backup(self, request: web.Request) -> web.StreamResponse:
        """A tar of all that is kept here, as of one moment; cut off where it fails: only a whole one can be used."""
        response = web.StreamResponse(headers={"Cache-Control": "no-store"})
        response.content_type = "application/x-tar"
        try:
            async with self._alone("a backup"), snapshot(self._folder, self._store, self._clock) as moment:
                name = time.strftime("duco-%Y%m%dT%H%M%SZ.tar", time.gmtime(moment.manifest.made / 1000))
                response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
                await response.prepare(request)
                pieces = moment.pieces()
                while piece := await asyncio.to_thread(next, pieces, b""):
                    async with asyncio.timeout(_TAKES_S):
                        await response.write(piece)
            await response.write_eof()  # only now: whoever asks for another one at once is served
        except (ConnectionError, TimeoutError):
            log.warning("who asked for a backup went away")
        except TransportError as e:
            if not response.prepared:
                raise
            log.error("backup failed", error=str(e))
            if request.transport is not None:  # the answer has begun: no other status can tell it
                request.transport.abort()
        return response

    async def restore(self, request: web.Request) -> web.Response:
        """Bring in the archive in the body; how much there is then."""
        stage = self._folder / RESTORE_STAGE
        async with self._alone("a restore"):
            try:
                await asyncio.to_thread(_fresh, stage)
                await self._receive(request, stage / UPLOAD)
                return reply(await restore_running(self._folder, self._meta, self._store))
            except OSError as e:
                raise TransportError(f"restore: {e.filename or stage}: {e.strerror}") from e
            finally:
                await asyncio.to_thread(shutil.rmtree, stage, ignore_errors=True)

    async def _receive(self, request: web.Request, file: Path) -> None:
        """Write the body to a file, as long as the disk has room."""
        with await asyncio.to_thread(file.open, "xb") as out:
            while True:
                try:
                    async with asyncio.timeout(_TAKES_S):
                        piece = await request.content.read(_PIECE_BYTES)
                except TimeoutError as e:
                    raise BadRequest(f"the archive stopped in the middle, {_TAKES_S:g} s ago") from e
                if not piece:
                    return
                await check_room(self._folder)
                await asyncio.to_thread(_put, out, piece)


def _fresh(stage: Path) -> None:
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(mode=0o700)


def _put(out: BinaryIO, piece: bytes) -> None:
    out.write(piece)
