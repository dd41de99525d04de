"""AMQP 1.0 frames on an asyncio stream, by the driver's own encoder and decoder."""

from __future__ import annotations

import asyncio
import struct
from typing import Any, NamedTuple

from azure.eventhub._pyamqp._decode import decode_frame
from azure.eventhub._pyamqp._encode import encode_frame
from azure.eventhub._pyamqp.performatives import TransferFrame

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(16, 25)


class Frame(NamedTuple):
    """What came in: the performative's code and its fields; `code` 0 is an empty frame."""

    channel: int
    code: int
    fields: list[Any]

    def field(self, index: int) -> Any:
        """A field, None where the sender left it out."""
        return self.fields[index] if index < len(self.fields) else None


async def read(reader: asyncio.StreamReader) -> Frame:
    """The next frame; IncompleteReadError where the client is gone."""
    size, offset, _, channel = struct.unpack(">IBBH", await reader.readexactly(8))
    body = await reader.readexactly(size - 8)
    if not body:
        return Frame(channel, 0, [])
    code, fields = decode_frame(memoryview(body)[offset * 4 - 8 :])
    return Frame(channel, code, fields)


def write(writer: asyncio.StreamWriter, channel: int, performative: Any, frame_type: int = 0) -> None:
    """Send a performative."""
    header, body = encode_frame(performative, bytes([frame_type]))
    writer.write(header + struct.pack(">H", channel) + (body or b""))


def transfer(writer: asyncio.StreamWriter, channel: int, handle: int, number: int, payload: bytes, most: int) -> None:
    """Send a settled message in as many frames as the client's limit asks for."""
    tag, room = struct.pack(">I", number), most - 64
    for at in range(0, len(payload), room):
        more = at + room < len(payload)
        first = TransferFrame(
            handle=handle,
            delivery_id=number if at == 0 else None,
            delivery_tag=tag if at == 0 else None,
            message_format=0 if at == 0 else None,
            settled=True,
            more=more,
            rcv_settle_mode=None,
            state=None,
            resume=None,
            aborted=None,
            batchable=None,
            payload=payload[at : at + room],
        )
        write(writer, channel, first)
