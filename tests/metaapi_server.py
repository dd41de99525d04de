"""A MetaAPI that serves on loopback, with a hub that a test sets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from duco_rt.app_access import tenant_of, token_routes
from duco_rt.clock import SystemClock
from duco_rt.config import Web
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_memory import MemoryHub
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.access.authentication import Authentication
from duco_rt.web.access.door import Door
from duco_rt.web.health import Health
from duco_rt.web.metaapi import MetaApi
from duco_rt.web.methods import Methods
from duco_rt.web.server import Server, listen, routes

KEY = "k" * 43


class MetaApiServer:
    """The role metaapi alone, over a memory hub. `port` 0 takes a free one; give it again to come back there.

    `web`: another configuration of its server, with authentication or TLS; `KEY` is its local key.
    """

    def __init__(self, folder: Path, port: int = 0, method_timeout_s: float = 0.2, web: Web | None = None) -> None:
        self.hub = MemoryHub(100, Metrics())
        self.meta = SqliteMeta(folder / "meta.sqlite")
        self._methods = Methods("ducohub", self.hub, self.meta, method_timeout_s, Metrics())
        self._web = msgspec.structs.replace(web or Web(), port=port)
        self.url = ""
        self.port = port

    @asynccontextmanager
    async def running(self) -> AsyncIterator[MetaApiServer]:
        """Serve as long as the block."""
        await self.meta.open()
        listening = listen(self._web)
        self.port = listening.getsockname()[1]
        health = Health({}, Metrics())
        metaapi = MetaApi(self.meta, self.hub.connected)
        authentication = Authentication(self._web, self.meta, KEY, SystemClock())
        more = token_routes(self.meta, authentication, SystemClock())
        table = routes(health, studio=None, metaapi=metaapi, call=self._methods.call, static=None, more=more)
        server = Server(self._web, listening, table, Door(self._web, authentication, tenant_of(self.meta)))
        self.url = server.url
        try:
            await server.start()
            yield self
        finally:
            await server.close()
            listening.close()
            await self.meta.close()
