"""What the log's writer and readers share of a Kafka cluster: address, login, topics, errors."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import collect_hosts
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError, TopicAlreadyExistsError, for_code

from duco_rt.errors import ConfigError, TransportError
from duco_rt.transports.certificates import explained

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it says at each attempt what a TransportError says once

CONNECT_S = 10.0
STOP_S = 2.0
REQUEST_S = 12.0
"""Longer than a member of a group may take to join again."""
_CHECK_S = 1.8
PART_S = 0.5
_BACKOFF_MS = 100


class Login(NamedTuple):
    """Empty: no TLS. A CA file: TLS. A user: SASL/PLAIN over TLS, without a CA file by the system's authorities."""

    user: str = ""
    password: str = ""
    ca_file: str = ""

    def options(self) -> dict[str, Any]:
        """The driver's options; ConfigError where the file cannot be used."""
        if not (self.user or self.ca_file):
            return {}
        try:
            trusted = ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as e:  # ssl.SSLError is one
            raise ConfigError(f"log.ca_file: {self.ca_file}: {e}") from e
        if not self.user:
            return {"security_protocol": "SSL", "ssl_context": trusted}
        return {
            "security_protocol": "SASL_SSL",
            "ssl_context": trusted,
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
        }


class Cluster:
    """`partitions` and `replicas` are those of a topic that is made here."""

    def __init__(self, servers: str, client_id: str, login: Login, partitions: int, replicas: int) -> None:
        self.options: dict[str, Any] = {
            "bootstrap_servers": servers,
            "client_id": client_id,
            "request_timeout_ms": int(1000 * REQUEST_S),
            "retry_backoff_ms": _BACKOFF_MS,
            **login.options(),
        }
        self._servers = servers
        self._partitions = partitions
        self._replicas = replicas
        self._there: set[str] = set()
        self._making = asyncio.Lock()

    def error(self, what: str, cause: Exception) -> TransportError:
        """The driver's error as the contract has it."""
        why = "no answer in time" if isinstance(cause, TimeoutError) else str(cause) or type(cause).__name__
        return TransportError(f"kafka at {self._servers}: {what}: {why}")

    async def _told(self, cause: Exception) -> Exception:
        """Of an error to connect, what is wrong with the server's certificate: the driver keeps that to itself."""
        if type(cause) is not KafkaConnectionError or "ssl_context" not in self.options:
            return cause
        for host, port, _ in collect_hosts(self._servers):
            try:
                async with asyncio.timeout(PART_S):
                    _, writer = await asyncio.open_connection(host, port, ssl=self.options["ssl_context"])
                writer.transport.abort()
            except ssl.SSLError as e:
                return TransportError(explained(str(e), "log"))
            except (OSError, TimeoutError):
                continue
        return cause

    async def ensure(self, topics: Iterable[str]) -> None:
        """Make those that are missing; one that is there is used as it is."""
        async with self._making:
            wanted = set(topics) - self._there
            if not wanted:
                return
            admin = AIOKafkaAdminClient(**self.options)
            try:
                async with asyncio.timeout(CONNECT_S):
                    await admin.start()
                    # All of them: asked for a missing one by name, a broker may make it by its own defaults.
                    await self._make(admin, wanted - await _topics(admin))
            except Exception as e:
                raise self.error("topics", await self._told(e)) from e
            finally:
                await end(admin)
            self._there |= wanted

    async def _make(self, admin: AIOKafkaAdminClient, topics: set[str]) -> None:
        if not topics:
            return
        new = [NewTopic(name, self._partitions, self._replicas) for name in sorted(topics)]
        answer = await admin.create_topics(new, timeout_ms=int(1000 * CONNECT_S))
        for name, code, *_ in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:  # another process was quicker
                raise KafkaError(f"{name} cannot be made: {error.__name__}: {error.description}")
        while True:  # made, but perhaps not known to this broker yet
            if topics <= set(await admin.list_topics()):
                return
            await asyncio.sleep(_BACKOFF_MS / 1000)

    def forget(self) -> None:
        """After a failure: look again which topics are there."""
        self._there.clear()

    async def check(self) -> None:
        """Over a connection of its own: the others wait for a broker that is away. TransportError within 2 s."""
        admin = AIOKafkaAdminClient(**self.options)
        try:
            async with asyncio.timeout(_CHECK_S):
                await admin.start()
                topics = await admin.describe_topics(sorted(self._there)) if self._there else []
            for topic in topics:
                if topic["error_code"] or any(part["leader"] < 0 for part in topic["partitions"]):
                    raise KafkaError(f"{topic['topic']} has partitions without a leader")
        except Exception as e:
            raise self.error("check", await self._told(e)) from e
        finally:
            await end(admin)


async def end(driver: AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaAdminClient) -> None:
    """Stop it; one that cannot take leave in time is cut off."""
    stop = driver.close if isinstance(driver, AIOKafkaAdminClient) else driver.stop
    if not await done(stop, STOP_S):
        for step in _parts(driver):
            await done(step, PART_S)


async def _topics(admin: AIOKafkaAdminClient) -> set[str]:
    """All that there are. A broker that has just begun may take a connection and be gone again: within a time-out."""
    while True:
        try:
            return set(await admin.list_topics())
        except NodeNotReadyError:
            await asyncio.sleep(0.1)


def _parts(
    driver: AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaAdminClient,
) -> Iterator[Callable[[], Awaitable[object]]]:
    """What is left of a driver whose `stop` was broken off: a consumer would stay in its group and hold partitions."""
    if isinstance(driver, AIOKafkaConsumer) and driver._coordinator:
        yield driver._coordinator._stop_heartbeat_task
        yield driver._coordinator._stop_commit_offsets_refresh_task
    if isinstance(driver, AIOKafkaConsumer) and driver._fetcher:
        yield driver._fetcher.close
    yield driver.client.close if isinstance(driver, AIOKafkaProducer) else driver._client.close


async def done(step: Callable[[], Awaitable[object]], within_s: float) -> bool:
    """Whether this part of an end was done in time; whatever else became of it, the driver is not used again."""
    task = asyncio.current_task()
    asked = task.cancelling() if task else 0
    try:
        async with asyncio.timeout(within_s):
            await step()
        return True
    except asyncio.CancelledError:
        if task and task.cancelling() > asked:
            raise
        return False  # the driver's own: it waits for tasks that it has cancelled
    except Exception:
        return False
