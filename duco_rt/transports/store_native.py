"""ClickHouse's Native format for the few types that the store uses: whole columns, no text, no parsing.

A block is: number of columns, number of rows, then per column its name, its type and its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duco_rt.errors import TransportError
from duco_rt.model import Peer

Numbers = NDArray[Any]
Columns = dict[str, Any]
"""Columns of an answer by name: numbers as an array, texts as list[bytes]. Those of arrays are flat, and
`<name>.size` has the number of elements of each row."""

FIXED = {"Int64": "<i8", "UInt64": "<u8", "Float64": "<f8", "UInt8": "<u1", "UInt16": "<u2", "UInt32": "<u4"}
_SHORT = [bytes([n]) for n in range(128)]


def varint(n: int) -> bytes:
    """Return `n` in groups of seven bits, the lowest first."""
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def blob(value: bytes) -> bytes:
    """Return bytes with their length."""
    n = len(value)
    return (_SHORT[n] if n < 128 else varint(n)) + value


def text(value: str) -> bytes:
    """Return the bytes of a string with their length; also of one that UTF-8 has no bytes for."""
    return blob(value.encode("utf-8", "surrogatepass"))


def untext(value: bytes) -> str:
    """Return the string that `text` wrote, its length already taken off."""
    return value.decode("utf-8", "surrogatepass")


def numbers(kind: str, values: Iterable[float]) -> bytes:
    """Return the bytes of a column of a type such as Int64; TransportError where a value does not fit."""
    try:
        return np.array(list(values), dtype=FIXED[kind]).tobytes()
    except OverflowError as error:
        raise TransportError(f"store: a value does not fit {kind}: {error}") from error


def block(rows: int, columns: Mapping[str, tuple[str, bytes]]) -> bytes:
    """Return a block of columns name → (type, bytes)."""
    parts = [varint(len(columns)), varint(rows)]
    for name, (kind, data) in columns.items():
        parts += [text(name), text(kind), data]
    return b"".join(parts)


def peers(whose: Sequence[Peer]) -> dict[str, tuple[str, bytes]]:
    """Return the three columns that say whose each row is."""
    return {
        "tenant": ("String", b"".join([text(peer.tenant) for peer in whose])),
        "chassisId": ("String", b"".join([text(peer.chassis_id) for peer in whose])),
        "msgType": ("String", b"".join([text(peer.msg_type) for peer in whose])),
    }


def read_blocks(data: bytes | memoryview) -> Columns:
    """Return the columns of an answer, its blocks joined; an answer without rows has no columns.

    All is copied out of `data`. Raises TransportError where it is cut short or has a type that is not of the store.
    """
    parts: dict[str, list[Any]] = {}
    reader = _Reader(data)
    try:
        while reader.at < len(data):
            count, rows = reader.varint(), reader.varint()
            for _ in range(count):
                name, kind = untext(reader.blob()), untext(reader.blob())
                if kind.startswith("Array("):
                    ends = reader.fixed("UInt64", rows)
                    parts.setdefault(f"{name}.size", []).append(np.diff(ends, prepend=np.uint64(0)))
                    kind, size = kind[6:-1], int(ends[-1]) if rows else 0
                else:
                    size = rows
                column = reader.blobs(size) if kind == "String" else reader.fixed(kind, size)
                parts.setdefault(name, []).append(column)
    except (IndexError, KeyError, ValueError) as error:
        raise TransportError(f"store: unreadable answer: {error!r}") from error
    return joined(parts)


def joined(parts: Mapping[str, list[Any]]) -> Columns:
    """Return the columns of an answer from those of its blocks."""
    return {name: _joined(columns) for name, columns in parts.items()}


def _joined(columns: list[Any]) -> Numbers | list[bytes]:
    if isinstance(columns[0], list):
        return columns[0] if len(columns) == 1 else [value for column in columns for value in column]
    return np.concatenate(columns)


class _Reader:
    """A place in an answer that moves on with what is read."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = data
        self.at = 0

    def fixed(self, kind: str, rows: int) -> Numbers:
        column = np.frombuffer(self.data, FIXED[kind], rows, self.at)  # ValueError past the end
        self.at += column.nbytes
        return column

    def blobs(self, rows: int) -> list[bytes]:
        # The texts of numbers are empty: a zero each, told apart without a loop.
        if bytes(self.data[self.at : self.at + rows]) == bytes(rows):
            self.at += rows
            return [b""] * rows
        return [self.blob() for _ in range(rows)]

    def blob(self) -> bytes:
        n = self.varint()
        start = self.at
        self.at = start + n
        if self.at > len(self.data):
            raise ValueError("cut short")
        return bytes(self.data[start : self.at])

    def varint(self) -> int:
        data, at = self.data, self.at
        byte = data[at]
        at += 1
        n = byte & 127
        shift = 7
        while byte > 127:
            byte = data[at]
            at += 1
            n |= (byte & 127) << shift
            shift += 7
        self.at = at
        return n
