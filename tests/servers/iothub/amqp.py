"""An event hub as azure-eventhub sees one, in plain AMQP 1.0: $cbs, $management, partitions with epochs and filters."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from azure.eventhub._pyamqp._decode import decode_payload
from azure.eventhub._pyamqp._encode import encode_payload
from azure.eventhub._pyamqp.endpoints import Source, Target
from azure.eventhub._pyamqp.error import AMQPError
from azure.eventhub._pyamqp.message import Message, Properties
from azure.eventhub._pyamqp.outcomes import Accepted
from azure.eventhub._pyamqp.performatives import (
    AttachFrame,
    BeginFrame,
    CloseFrame,
    DetachFrame,
    DispositionFrame,
    EndFrame,
    FlowFrame,
    OpenFrame,
    SASLMechanism,
    SASLOutcome,
)

from tests.servers.iothub import amqp_wire as wire
from tests.servers.iothub.events import EventLog, Partition

EPOCH = b"com.microsoft:epoch"
_PARTITION = re.compile(r".*/ConsumerGroups/([^/]+)/Partitions/(\d+)\Z", re.IGNORECASE)
_SELECTOR = b"apache.org:selector-filter:string"


class Link:
    """A client's receiving link on a partition."""

    def __init__(self, client: Client, frame: wire.Frame, group: str, partition: Partition, start: int) -> None:
        self.client, self.channel, self.handle = client, frame.channel, frame.field(1)
        self.group, self.partition = group, partition
        self.epoch: int | None = (frame.field(13) or {}).get(EPOCH)
        self.sent, self.limit, self._next = 0, 0, start
        partition.listeners.add(self.pump)

    def pump(self) -> None:
        """Send while there are events and credit."""
        events = self.partition.events
        while self.sent < self.limit and self._next < len(events) and self.client.peer.thawed.is_set():
            payload = events[self._next].payload
            wire.transfer(
                self.client.writer, self.channel, self.handle, self.client.number(), payload, self.client.frame_max
            )
            self.sent, self._next = self.sent + 1, self._next + 1

    def end(self, condition: bytes = b"", text: str = "") -> None:
        """Detach it, with an error."""
        self.partition.listeners.discard(self.pump)
        self.client.links.pop((self.channel, self.handle), None)
        if condition:
            wire.write(self.client.writer, self.channel, DetachFrame(self.handle, True, AMQPError(condition, text)))


class Client:
    """One connection."""

    def __init__(self, peer: EventHubPeer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peer, self.reader, self.writer = peer, reader, writer
        self.frame_max, self.links = 512, {}  # type: int, dict[tuple[int, int], Link]
        self._numbers = 0
        self._nodes: dict[tuple[int, int], str] = {}
        self._answers: dict[tuple[int, str], int] = {}
        self._parts: dict[tuple[int, int], bytes] = {}
        self._is_allowed = False

    def number(self) -> int:
        """The next delivery's."""
        self._numbers += 1
        return self._numbers

    async def serve(self) -> None:
        """Until the client goes."""
        await self._greet()
        async with asyncio.TaskGroup() as tasks:
            beats: list[asyncio.Task[None]] = []
            with suppress(OSError, asyncio.IncompleteReadError):
                while (frame := await wire.read(self.reader)).code != wire.CLOSE:
                    await self.peer.thawed.wait()
                    if frame.code == wire.OPEN and frame.field(4):
                        beats.append(tasks.create_task(self._beat(frame.field(4) / 2000)))
                    self._handle(frame)
                wire.write(self.writer, 0, CloseFrame(None))
            for beat in beats:
                beat.cancel()

    async def _greet(self) -> None:
        await self.reader.readexactly(8)
        self.writer.write(wire.SASL_HEADER)
        wire.write(self.writer, 0, SASLMechanism([b"ANONYMOUS", b"EXTERNAL", b"MSSBCBS"]), 1)
        await wire.read(self.reader)
        wire.write(self.writer, 0, SASLOutcome(0, None), 1)
        await self.reader.readexactly(8)
        self.writer.write(wire.AMQP_HEADER)

    async def _beat(self, period_s: float) -> None:
        while True:
            await asyncio.sleep(period_s)
            if self.peer.thawed.is_set():
                self.writer.write(b"\x00\x00\x00\x08\x02\x00\x00\x00")

    def _handle(self, frame: wire.Frame) -> None:
        handlers: dict[int, Callable[[wire.Frame], None]] = {
            wire.OPEN: self._open,
            wire.BEGIN: self._begin,
            wire.ATTACH: self._attach,
            wire.FLOW: self._flow,
            wire.TRANSFER: self._transfer,
            wire.DETACH: self._detach,
            wire.END: lambda _: wire.write(self.writer, frame.channel, EndFrame(None)),
        }
        if frame.code in handlers:
            handlers[frame.code](frame)

    def _open(self, frame: wire.Frame) -> None:
        self.frame_max = min(frame.field(2), 65536)
        wire.write(self.writer, 0, OpenFrame("peer", None, 65536, 4095, 240_000, None, None, None, None, None))

    def _begin(self, frame: wire.Frame) -> None:
        wire.write(self.writer, frame.channel, BeginFrame(frame.channel, 0, 5000, 5000, 255, None, None, None))

    def _attach(self, frame: wire.Frame) -> None:
        """Role True: the client receives. Every link has the client's own handle in both directions."""
        address = bytes((frame.field(5) if frame.field(2) else frame.field(6))[0]).decode()
        if not frame.field(2):
            self._nodes[frame.channel, frame.field(1)] = address
            self._accept(frame)
            credit = FlowFrame(0, 5000, 0, 5000, frame.field(1), 0, 1000, None, None, None, None)
            wire.write(self.writer, frame.channel, credit)
        elif address.startswith("$"):
            self._answers[frame.channel, address] = frame.field(1)
            self._accept(frame)
        else:
            self._attach_partition(frame, address)

    def _attach_partition(self, frame: wire.Frame, address: str) -> None:
        match = _PARTITION.match(address)
        group, index = (match[1], int(match[2])) if match else ("", 0)
        epoch: int | None = (frame.field(13) or {}).get(EPOCH)
        holders = self.peer.holders(group, index)
        highest = max((link.epoch for link in holders if link.epoch is not None), default=None)
        if not self._is_allowed:
            self._refuse(frame, b"amqp:unauthorized-access", "no claim was put for this entity")
        elif group not in self.peer.groups or index >= len(self.peer.log.partitions):
            self._refuse(frame, b"amqp:not-found", f"The messaging entity {address!r} could not be found.")
        elif highest is not None and (epoch is None or epoch < highest):
            self._refuse(frame, b"amqp:link:stolen", f"a receiver of epoch {highest} is there")
        else:
            for link in holders if epoch is not None else ():
                link.end(b"amqp:link:stolen", f"New receiver with higher or equal epoch of {epoch} is created")
            partition = self.peer.log.partitions[index]
            start = partition.start(bytes(frame.field(5)[7][_SELECTOR]).decode())
            self.links[frame.channel, frame.field(1)] = Link(self, frame, group, partition, start)
            self.peer.starts.append((group, index, start))
            self._accept(frame)

    def _accept(self, frame: wire.Frame, source: bool = True) -> None:
        addresses = (frame.field(5) or [None])[0], (frame.field(6) or [None])[0]
        ends = Source(addresses[0], *[None] * 10) if source else None, Target(addresses[1], *[None] * 6)
        attach = AttachFrame(
            frame.field(0), frame.field(1), not frame.field(2), 1, 0, *ends, None, None, 0, 1 << 20, None, None, None
        )
        wire.write(self.writer, frame.channel, attach)

    def _refuse(self, frame: wire.Frame, condition: bytes, text: str) -> None:
        self._accept(frame, source=False)
        wire.write(self.writer, frame.channel, DetachFrame(frame.field(1), True, AMQPError(condition, text)))

    def _flow(self, frame: wire.Frame) -> None:
        link = self.links.get((frame.channel, frame.field(4)))
        if link is not None:
            link.limit = frame.field(5) + frame.field(6)
            link.pump()

    def _detach(self, frame: wire.Frame) -> None:
        link = self.links.get((frame.channel, frame.field(0)))
        if link is not None:
            link.end()
        wire.write(self.writer, frame.channel, DetachFrame(frame.field(0), True, None))

    def _transfer(self, frame: wire.Frame) -> None:
        at = frame.channel, frame.field(0)
        payload = self._parts.pop(at, b"") + bytes(frame.fields[-1])
        if frame.field(5):
            self._parts[at] = payload
            return
        wire.write(self.writer, frame.channel, DispositionFrame(True, frame.field(1), None, True, Accepted(), None))
        request = decode_payload(memoryview(payload))
        self._answer(frame.channel, self._nodes[at], request)

    def _answer(self, channel: int, node: str, request: Any) -> None:
        asked = {_text(name): _text(value) for name, value in request.application_properties.items()}
        code, text, value = (self._put_token if node == "$cbs" else self._properties)(asked, request)
        answer = bytearray()
        message = Message(
            properties=Properties(correlation_id=request.properties.message_id),
            application_properties={"status-code": code, "status-description": text},
            value=value or "-",
        )
        encode_payload(answer, message)
        handle = self._answers[channel, node]
        wire.transfer(self.writer, channel, handle, self.number(), bytes(answer), self.frame_max)

    def _put_token(self, asked: dict[str, Any], request: Any) -> tuple[int, str, Any]:
        why = self.peer.refusal(_text(request.value), str(asked["name"]))
        self._is_allowed = not why
        return (401, why, None) if why else (202, "Accepted", None)

    def _properties(self, asked: dict[str, Any], _: Any) -> tuple[int, str, Any]:
        if not self._is_allowed:
            return 401, "no claim was put", None
        if asked["name"] != self.peer.name:
            return 404, f"there is no event hub {asked['name']}", None
        if asked["type"] == "com.microsoft:eventhub":
            names = [str(i) for i in range(len(self.peer.log.partitions))]
            return 200, "OK", {"name": self.peer.name, "created_at": 0, "partition_ids": names}
        events = self.peer.log.partitions[int(asked["partition"])].events
        last = events[-1] if events else None
        found = {"name": self.peer.name, "partition": asked["partition"], "begin_sequence_number": 0}
        found |= {"last_enqueued_sequence_number": last.sequence if last else -1, "is_partition_empty": not events}
        found |= {"last_enqueued_offset": str(last.offset) if last else "-1", "last_enqueued_time_utc": 0}
        return 200, "OK", found


class EventHubPeer:
    """The event hub's server. `refusal(token, resource)` says why a token is no good, or nothing."""

    def __init__(self, log: EventLog, name: str, groups: tuple[str, ...], refusal: Callable[[str, str], str]) -> None:
        self.log, self.name, self.groups, self.refusal = log, name, groups, refusal
        self.clients: set[Client] = set()
        self.starts: list[tuple[str, int, int]] = []
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.port = 0
        self._server: asyncio.Server | None = None

    def holders(self, group: str, index: int) -> list[Link]:
        """The links on a partition in a group."""
        partition = self.log.partitions[index]
        return [
            link
            for client in self.clients
            for link in client.links.values()
            if link.partition is partition and link.group == group
        ]

    async def start(self, host: str, port: int = 0) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, host, port or self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(self, reader, writer)
        self.clients.add(client)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await client.serve()
        finally:
            self.clients.discard(client)
            for link in list(client.links.values()):
                link.end()
            writer.close()

    def reset(self) -> None:
        """Cut all connections hard."""
        for client in list(self.clients):
            client.writer.transport.abort()

    async def stop(self) -> None:
        """Cut all connections and refuse new ones; the events stay."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()


def _text(value: Any) -> Any:
    return bytes(value).decode() if isinstance(value, bytes | bytearray | memoryview) else value
