"""IoT Hub's MQTT as a device sees it: SAS token or client certificate, Azure's topics, methods; TLS always."""

from __future__ import annotations

import asyncio
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import unquote

from tests.servers.iothub.sas import expires_s

OnEvent = Callable[[str, dict[str, str], dict[str, str], bytes], None]
CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PING, PONG, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 13, 14


class Device:
    """One connected device."""

    def __init__(self, peer: DevicesPeer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peer, self.reader, self.writer = peer, reader, writer
        self.device_id = ""
        self.has_methods = False
        self.waiting: dict[str, asyncio.Future[tuple[int, bytes]]] = {}

    async def packet(self) -> tuple[int, int, bytes]:
        """Kind, flags and content."""
        first = (await self.reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        return first >> 4, first & 15, await self.reader.readexactly(length)

    def write(self, kind: int, content: bytes, flags: int = 0) -> None:
        """Send a packet."""
        size, length = len(content), bytearray()
        while True:
            size, digit = size >> 7, size & 127
            length.append(digit | (128 if size else 0))
            if not size:
                break
        self.writer.write(bytes([kind << 4 | flags]) + bytes(length) + content)

    async def serve(self) -> None:
        """Until the device goes, or its token ends."""
        kind, _, content = await self.packet()
        if kind != CONNECT:
            return
        why, until_s = self._login(content)
        self.write(CONNACK, bytes([0, 5 if why else 0]))
        if why:
            self.peer.refused.append(why)
            return
        self.peer.enter(self)
        try:
            async with asyncio.timeout(until_s):
                while kind != DISCONNECT:
                    kind, flags, content = await self.packet()
                    await self.peer.thawed.wait()
                    self._handle(kind, flags, content)
        except TimeoutError:
            self.peer.expired += 1

    def _login(self, content: bytes) -> tuple[str, float | None]:
        """Why it may not connect, and for how many seconds it may."""
        protocol, rest = _string(content)
        level, flags, rest = rest[0], rest[1], rest[4:]
        fields = []
        while rest:
            field, rest = _string(rest)
            fields.append(field.decode())
        self.device_id = fields[0]
        user = f"{self.peer.host}/{self.device_id}/?api-version=2021-04-12"
        if (protocol, level) != (b"MQTT", 4) or not flags & 0x80 or fields[1] != user:
            return f"login {protocol!r} {level} {fields[1:2]}", None
        if not flags & 0x40:
            return self._certificate(), None
        why = self.peer.refusal(self.device_id, fields[2])
        return why, None if why else expires_s(fields[2]) - time.time()

    def _certificate(self) -> str:
        tls = self.writer.get_extra_info("ssl_object")
        subject = (tls.getpeercert() or {}).get("subject", ())
        names = [value for part in subject for name, value in part if name == "commonName"]
        return "" if names == [self.device_id] else f"neither token nor certificate of {self.device_id}: {names}"

    def _handle(self, kind: int, flags: int, content: bytes) -> None:
        if kind == PUBLISH:
            topic, rest = _string(content)
            qos = flags >> 1 & 3
            if self._publish(topic.decode(), rest[2:] if qos else rest) and qos:
                self.write(PUBACK, rest[:2])
        elif kind == SUBSCRIBE:
            topic, _ = _string(content[2:])
            self.has_methods |= topic == b"$iothub/methods/POST/#"
            self.write(SUBACK, content[:2] + b"\x01")
        elif kind == PING:
            self.write(PONG, b"")

    def _publish(self, topic: str, body: bytes) -> bool:
        """Whether it was taken. IoT Hub ends the connection for any other topic."""
        events, answers = f"devices/{self.device_id}/messages/events/", "$iothub/methods/res/"
        if topic.startswith(events):
            pairs = [pair.partition("=") for pair in topic.removeprefix(events).split("&") if pair]
            found = {unquote(name): unquote(value) for name, _, value in pairs}
            system = {name: value for name, value in found.items() if name.startswith("$.")}
            own = {name: value for name, value in found.items() if not name.startswith("$.")}
            if self.peer.is_deaf:
                return False
            self.peer.on_event(self.device_id, own, system, body)
        elif topic.startswith(answers):
            status, _, query = topic.removeprefix(answers).partition("/")
            answer = self.waiting.pop(query.removeprefix("?$rid="), None)
            if answer is not None and not answer.done():
                answer.set_result((int(status), body))
        else:
            self.peer.refused.append(f"topic {topic}")
            self.writer.transport.abort()
        return True


class DevicesPeer:
    """The device side's server. `refusal(device, token)` says why a token is no good, or nothing."""

    def __init__(self, host: str, tls: ssl.SSLContext, refusal: Callable[[str, str], str], on_event: OnEvent) -> None:
        self.host, self.tls, self.refusal, self.on_event = host, tls, refusal, on_event
        self.devices: dict[str, Device] = {}
        self.logins: list[str] = []
        self.refused: list[str] = []
        self.expired = 0
        self.is_deaf = False
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.port = 0
        self._all: set[Device] = set()
        self._rid = 0
        self._server: asyncio.Server | None = None

    async def start(self, bind: str, port: int = 0) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, bind, port or self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        device = Device(self, reader, writer)
        self._all.add(device)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await device.serve()
        finally:
            self._all.discard(device)
            if self.devices.get(device.device_id) is device:
                del self.devices[device.device_id]
            for answer in device.waiting.values():
                answer.cancel()
            writer.close()

    def enter(self, device: Device) -> None:
        """A device is on; an older connection of it ends."""
        older = self.devices.pop(device.device_id, None)
        if older is not None:
            older.writer.transport.abort()
        self.devices[device.device_id] = device
        self.logins.append(device.device_id)

    async def call(self, device_id: str, method: str, payload: bytes, timeout_s: float) -> tuple[int, bytes] | None:
        """The device's answer, or None; KeyError where it is not there."""
        device = self.devices[device_id]
        if not device.has_methods:
            raise KeyError(device_id)
        self._rid += 1
        rid = f"{self._rid:x}"
        topic = f"$iothub/methods/POST/{method}/?$rid={rid}".encode()
        device.waiting[rid] = answer = asyncio.get_running_loop().create_future()
        device.write(PUBLISH, struct.pack(">H", len(topic)) + topic + payload)
        try:
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError:
            return None

    def reset(self) -> None:
        """Cut all connections hard."""
        for device in list(self._all):
            device.writer.transport.abort()

    async def stop(self) -> None:
        """Cut all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()


def _string(content: bytes) -> tuple[bytes, bytes]:
    length = int.from_bytes(content[:2], "big")
    return content[2 : 2 + length], content[2 + length :]
