"""Every real server that the program can use, and a system of many processes on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.e2e.processes import Process, running
from tests.servers import kafka
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.kafka import KafkaServer
from tests.servers.mosquitto import Mosquitto
from tests.servers.redis import RedisServer
from tests.servers.server import Server, free_port


class Servers:
    """An MQTT broker, Kafka, Redis and ClickHouse.

    The broker writes nothing to disk while it runs, so that a kill loses all that it had acknowledged and not handed
    on: the device has to send it again. Redis keeps nothing at all.
    """

    def __init__(self, folder: Path) -> None:
        self.mqtt = Mosquitto(folder / "mosquitto", autosave_changes=1_000_000)
        self.kafka = KafkaServer(folder / "kafka")
        self.redis = RedisServer(folder / "redis")
        self.clickhouse = ClickHouseServer(folder / "clickhouse")
        self._prefix = kafka.prefix()
        self.more: list[str] = []

    @property
    def each(self) -> dict[str, Server]:
        """By the name of the transport that lives on it."""
        return {"hub": self.mqtt, "log": self.kafka, "live": self.redis, "store": self.clickhouse}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All of them as long as the block; the old ClickHouse of the tests gets its tables made by hand."""
        try:
            await asyncio.gather(*(asyncio.to_thread(server.start) for server in self.each.values()))
            await asyncio.to_thread(self.clickhouse.create_tables)
            yield
        finally:
            await asyncio.gather(*(asyncio.to_thread(server.stop) for server in self.each.values()))

    def settings(self, live: str = "redis-streams") -> list[str]:
        """What makes every transport real."""
        return [
            "hub.kind=mqtt",
            f"hub.url={self.mqtt.url}",
            "log.kind=kafka",
            f"log.bootstrap_servers={self.kafka.bootstrap_servers}",
            f"log.prefix={self._prefix}",
            "log.partitions=4",
            f"live.kind={live}",
            f"live.url={self.redis.url}",
            "leases.kind=redis",
            f"leases.url={self.redis.url}",
            "store.kind=clickhouse",
            f"store.url={self.clickhouse.url}",
            "store.create_tables=false",
            "device.upload_interval_s=3",
            *self.more,
        ]


class System:
    """MetaAPI, a device, and two each of ingest, process, distribute and studio, a process each.

    The studios share a port of their own where `one_port` is given.
    """

    def __init__(self, servers: Servers, folder: Path, live: str = "redis-streams", *, one_port: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        settings = servers.settings(live)
        self.servers = servers
        self.metaapi = Process("metaapi", folder, ["metaapi"], settings)
        settings = [*settings, "meta.kind=http", f"meta.url={self.metaapi.url}"]
        self.device = Process("device", folder, ["device"], settings)
        self.pairs: dict[str, list[Process]] = {
            role: [Process(f"{role}{n}", folder, [role], settings) for n in (1, 2)]
            for role in ("ingest", "process", "distribute")
        }
        shared = free_port()
        sharing = ["web.reuse_port=true", f"web.port={shared}"] if one_port else []
        self.pairs["studio"] = [Process(f"studio{n}", folder, ["studio"], [*settings, *sharing]) for n in (1, 2)]
        if one_port:
            for studio in self.studios:
                studio.url = f"http://127.0.0.1:{shared}/"

    @property
    def studios(self) -> list[Process]:
        """Both."""
        return self.pairs["studio"]

    @property
    def each(self) -> list[Process]:
        """All processes, MetaAPI first: the others ask it who the device is."""
        return [self.metaapi, self.device, *(process for pair in self.pairs.values() for process in pair)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All processes as long as the block."""
        async with running(self.each):
            yield
