"""What the hub does not have yet, on disk: it outlives the end of the process, however that comes.

Segments `NNNNNNNNNNNN.spool` hold one message a record, each written before anything else is done with it:

    magic:4s = "DSP1"  length:u32  crc32:u32  | msgpack of msgType, ts, seq, content type, content encoding, body

A segment goes when nothing of it is needed any more; so a start sends again what the hub has of those that are left,
and copies collapse by position. Nothing waits for the disk: a power cut may take the last seconds.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from duco_rt.model import HubMessage
from duco_rt.seeing.metrics import Metrics

log = structlog.get_logger()

_HEAD = struct.Struct("<4sII")
_MAGIC = b"DSP1"
_SEGMENT_BYTES = 1024 * 1024
_SEGMENT_S = 60.0
_IN_MEMORY_MAX = 1000

_Record = tuple[str, int, int, str, str, bytes]
_record = msgspec.msgpack.Decoder(_Record)


@dataclass(slots=True)
class Entry:
    """A message in the spool; `number` grows with each. `message` is held only where the disk did not take it."""

    number: int
    segment: int
    offset: int
    size: int
    message: HubMessage | None = None
    is_sent: bool = False
    resends: int = 0

    def __lt__(self, other: Entry) -> bool:
        return self.number < other.number


class _Segment:
    def __init__(self, file: Path, begun_s: float) -> None:
        self.file = file
        self.begun_s = begun_s
        self.size = 0
        self.open = 0
        self.sent = 0


class Spool:
    """The messages of one device, oldest first; over `bytes_max` the oldest segment goes, counted by message.

    `left` is what earlier runs left. Time (steady, s) is passed in.
    """

    def __init__(self, folder: Path, chassis_id: str, bytes_max: int, metrics: Metrics) -> None:
        self._folder = folder
        self._chassis_id = chassis_id
        self._bytes_max = bytes_max
        self._segment_bytes = min(_SEGMENT_BYTES, bytes_max // 4)
        self._metrics = metrics
        self._segments: OrderedDict[int, _Segment] = OrderedDict()
        self._written: int | None = None
        self._newest = 0  # segment numbers never come again: an old entry must not point into a new file
        self._fd = -1
        self._number = 0
        self._in_memory: deque[Entry] = deque()
        self.dropped = 0
        self.next_seq = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.left = list(self._read_folder())

    @property
    def oldest_segment(self) -> int:
        """The number of the oldest segment that is there: entries of earlier ones are gone."""
        return next(iter(self._segments), self._newest + 1)

    @property
    def in_memory(self) -> list[HubMessage]:
        """What no disk took, oldest first."""
        return [entry.message for entry in self._in_memory if entry.message is not None]

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(segment.size for segment in self._segments.values())

    def append(self, message: HubMessage, now_s: float) -> Entry:
        """Keep a message. Where the disk takes nothing it is held in memory, the last 1,000 of them, counted."""
        fields = message.msg_type, message.ts_ms, message.seq, message.content_type, message.content_encoding
        raw = msgspec.msgpack.encode((*fields, message.body))
        self._number += 1
        try:
            number, offset = self._write(_HEAD.pack(_MAGIC, len(raw), zlib.crc32(raw)) + raw, now_s)
        except OSError as e:
            return self._hold(message, e)
        return Entry(self._number, number, offset, len(raw))

    def read(self, entry: Entry) -> HubMessage | None:
        """The message, never as a real-time one; None where the bound or the disk took it, counted."""
        if entry.message is not None or entry.segment < 0:
            return entry.message
        segment = self._segments.get(entry.segment)
        if segment is None:
            return None  # counted when its segment went
        try:
            with segment.file.open("rb") as file:
                file.seek(entry.offset)
                return self._message(file.read(_HEAD.size + entry.size))
        except (OSError, ValueError, msgspec.DecodeError) as e:
            log.error("spooled message cannot be read", file=str(segment.file), error=str(e))
            self._drop(1)
            return None

    def mark(self, entry: Entry, *, sent: bool) -> None:
        """Whether the hub said that it has the message: one that it has is not lost when the bound takes it."""
        if entry.is_sent != sent:
            entry.is_sent = sent
            if entry.segment in self._segments:
                self._segments[entry.segment].sent += 1 if sent else -1

    def release(self, entry: Entry) -> None:
        """It is not needed any more. A segment without open messages goes, but for the one that is written."""
        self.mark(entry, sent=False)
        segment = self._segments.get(entry.segment)
        if segment is None:
            if entry.message is not None:
                self._in_memory.remove(entry)
            return
        segment.open -= 1
        if not segment.open and entry.segment != self._written:
            self._remove(entry.segment)

    def close(self) -> None:
        """The end: what the hub does not have stays."""
        self._close_segment()

    def _hold(self, message: HubMessage, error: OSError) -> Entry:
        if not self._in_memory:
            log.error("the spool takes no more, messages are held in memory", error=str(error))
        self._metrics.count("device_spool_failed_total")
        entry = Entry(self._number, -1, 0, 0, message)
        self._in_memory.append(entry)
        if len(self._in_memory) > _IN_MEMORY_MAX:
            self._in_memory.popleft().message = None
            self._drop(1)
        return entry

    def _write(self, record: bytes, now_s: float) -> tuple[int, int]:
        segment = self._writable(now_s)
        number, offset = self._newest, segment.size
        os.lseek(self._fd, offset, os.SEEK_SET)  # an earlier record may have been written in part
        written = os.write(self._fd, record)
        if written != len(record):
            raise OSError(f"{written} of {len(record)} bytes written")
        segment.size += written
        segment.open += 1
        while len(self._segments) > 1 and self.size_bytes > self._bytes_max:
            oldest = next(iter(self._segments))
            self._drop(self._segments[oldest].open - self._segments[oldest].sent)
            self._remove(oldest)
        return number, offset

    def _writable(self, now_s: float) -> _Segment:
        if self._written is not None:
            segment = self._segments[self._written]
            if segment.size < self._segment_bytes and now_s - segment.begun_s < _SEGMENT_S:
                return segment
            self._close_segment()
        number = self._newest + 1
        segment = _Segment(self._folder / f"{number:012d}.spool", now_s)
        self._fd = os.open(segment.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o644)
        self._segments[number] = segment
        self._written = self._newest = number
        return segment

    def _close_segment(self) -> None:
        if self._written is None:
            return
        number, self._written = self._written, None
        os.close(self._fd)
        if not self._segments[number].open:
            self._remove(number)

    def _remove(self, number: int) -> None:
        file = self._segments.pop(number).file
        try:
            file.unlink(missing_ok=True)
        except OSError as e:  # the next start sends it again
            self._metrics.count("device_spool_failed_total")
            log.error("spooled segment not removed", file=str(file), error=str(e))

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._metrics.count("device_dropped_total", count)

    def _read_folder(self) -> Iterator[Entry]:
        for file in sorted(self._folder.glob("*.spool")):
            if not file.stem.isdigit():
                continue
            number = self._newest = int(file.stem)
            try:
                data = file.read_bytes()
            except OSError as e:  # it stays, for a later start
                log.error("spooled segment cannot be read", file=str(file), error=e.strerror)
                self._metrics.count("device_spool_failed_total")
                continue
            segment = self._segments[number] = _Segment(file, 0.0)
            segment.size = len(data)
            for offset, size, message in self._records(data, file):
                self._number += 1
                self.next_seq = max(self.next_seq, message.seq + 1)
                yield Entry(self._number, number, offset, size)
                segment.open += 1
            if not segment.open:
                self._remove(number)

    def _records(self, data: bytes, file: Path) -> Iterator[tuple[int, int, HubMessage]]:
        """Offset, size and message of each record; what cannot be read is passed over and counted, the rest is not."""
        at = 0
        while at < len(data):
            found = self._record_at(data, at)
            if found is not None:
                message, size = found
                yield at, size, message
                at += _HEAD.size + size
                continue
            begin, at = at, data.find(_MAGIC, at + 1)
            while at >= 0 and self._record_at(data, at) is None:
                at = data.find(_MAGIC, at + 1)
            at = len(data) if at < 0 else at
            log.error("spooled messages cannot be read", file=str(file), offset=begin, bytes=at - begin)
            self._drop(1)

    def _record_at(self, data: bytes, at: int) -> tuple[HubMessage, int] | None:
        if at + _HEAD.size > len(data):
            return None
        size = _HEAD.unpack_from(data, at)[1]
        try:
            return self._message(data[at : at + _HEAD.size + size]), size
        except (ValueError, msgspec.DecodeError):
            return None

    def _message(self, record: bytes) -> HubMessage:
        magic, size, crc = _HEAD.unpack_from(record)
        raw = record[_HEAD.size :]
        if magic != _MAGIC or len(raw) != size or zlib.crc32(raw) != crc:
            raise ValueError("not a whole record")
        msg_type, ts_ms, seq, content_type, encoding, body = _record.decode(raw)
        return HubMessage(self._chassis_id, msg_type, False, ts_ms, seq, content_type, encoding, body)
