"""The events of an event hub: partitions that keep what they are given, in memory or in a file as well."""

from __future__ import annotations

import json
import re
import time
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from azure.eventhub._pyamqp._encode import encode_payload
from azure.eventhub._pyamqp.message import Message, Properties
from azure.eventhub._pyamqp.types import AMQPTypes

_SELECTOR = re.compile(r"amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time) (>=?) '(.*)'\Z")


class Event(NamedTuple):
    """One event: its place, and the message as AMQP has it."""

    sequence: int
    offset: int
    enqueued_ms: int
    payload: bytes


class Partition:
    """Events in order; who listens is told of each new one."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.listeners: set[Callable[[], None]] = set()

    def start(self, selector: str) -> int:
        """The index of the first event that a link's filter lets through."""
        match = _SELECTOR.match(selector)
        if match is None:
            raise ValueError(f"filter {selector!r}")
        field, comparison, value = match.groups()
        if value in ("@latest", "-1"):
            return len(self.events) if value == "@latest" else 0
        at_least = int(value) + (comparison == ">")
        of = {"offset": "offset", "sequence-number": "sequence", "enqueued-time": "enqueued_ms"}[field]
        return next((i for i, event in enumerate(self.events) if getattr(event, of) >= at_least), len(self.events))


class EventLog:
    """All partitions. A device's events are all in one. With a `file` they survive a kill."""

    def __init__(self, partitions: int = 4, file: Path | None = None) -> None:
        self.partitions = [Partition() for _ in range(partitions)]
        self._file = None
        if file is not None:
            for line in file.read_text().splitlines() if file.exists() else ():
                body, device_id, properties, system, at_ms = json.loads(line)
                self._add(b64decode(body), device_id, properties, system, at_ms)
            self._file = file.open("a")

    def append(self, device_id: str, properties: dict[str, str], system: dict[str, str], body: bytes) -> None:
        """Keep a message of a device. `system`: `$.ct` and `$.ce`."""
        now_ms = time.time_ns() // 1_000_000
        if self._file is not None:
            self._file.write(json.dumps([b64encode(body).decode(), device_id, properties, system, now_ms]) + "\n")
            self._file.flush()
        partition = self._add(body, device_id, properties, system, now_ms)
        for told in list(partition.listeners):
            told()

    def _add(
        self, body: bytes, device_id: str, properties: dict[str, str], system: dict[str, str], at_ms: int
    ) -> Partition:
        partition = self.partitions[zlib.crc32(device_id.encode()) % len(self.partitions)]
        events = partition.events
        sequence, offset = len(events), events[-1].offset + 8 + len(body) if events else 4096
        annotations: dict[str | bytes, Any] = {
            b"x-opt-sequence-number": {"TYPE": AMQPTypes.long, "VALUE": sequence},
            b"x-opt-offset": str(offset),
            b"x-opt-enqueued-time": {"TYPE": AMQPTypes.timestamp, "VALUE": at_ms},
            b"iothub-connection-device-id": device_id,
            b"iothub-message-source": "Telemetry",
        }
        application: dict[str | bytes, Any] = dict(properties.items())
        message = Message(
            properties=Properties(content_type=system.get("$.ct"), content_encoding=system.get("$.ce")),
            message_annotations=annotations,
            application_properties=application or None,
            data=[body],
        )
        payload = bytearray()
        encode_payload(payload, message)
        events.append(Event(sequence, offset, at_ms, bytes(payload)))
        return partition

    def clear(self) -> None:
        """Forget all events."""
        for partition in self.partitions:
            partition.events.clear()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
