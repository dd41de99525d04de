"""One connection to a ClickHouse server by its native protocol.

asynch connects, reads answers and names errors. Its cursor and its pool are not used: they take each value as a
Python object (a block that is encoded already costs a quarter of that), take the first packet after an insert for its
end, and close a connection by waiting for the server, which may be what does not answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from asynch.errors import NetworkError, ServerException
from asynch.proto import constants
from asynch.proto.connection import Connection as Driver
from asynch.proto.result import QueryInfo

from duco_rt.errors import TransportError
from duco_rt.transports.certificates import explained
from duco_rt.transports.store_native import FIXED, Columns, block, joined

CONNECT_S = 2.5
PING_S = 2.0

_REVISION_OF_MORE_IN_BLOCKS = 54454  # from then on a column has a byte between its type and its data
_REVISION_OF_ANY_SETTING = constants.DBMS_MIN_REVISION_WITH_SETTINGS_SERIALIZED_AS_STRINGS
# A packet of data: its number, no temporary table, "no overflow, no bucket"; then comes the block.
_DATA = b"\x02\0" + b"\x01\0\x02\xff\xff\xff\xff\0"
_END = block(0, {})
_CANCEL = b"\x03"

# A query may name thousands of fields; small blocks of an answer leave the event loop time between them.
_QUERY = {"max_query_size": 67_108_864, "max_block_size": 2_048}
# Inserts are batches already: the server's own batching would only wait. Old servers know neither it nor its name.
_INSERT = {"async_insert": 0}

logging.getLogger("asynch").setLevel(logging.ERROR)  # what it warns of is raised as well


@dataclass(frozen=True)
class Address:
    """Where the server is and who asks; `port` None for the usual one, `ca_file` "" for the system's authorities."""

    host: str
    port: int | None
    tls: bool
    user: str
    password: str
    ca_file: str

    def __str__(self) -> str:
        return f"clickhouse {self.host}:{self.port or (9440 if self.tls else 9000)}"


class Connection:
    """For one call at a time. Whatever ends a call early ends the connection too (`is_open`).

    Every error is a TransportError that names the server. `patience_s` is how long the server may be silent.
    """

    def __init__(self, address: Address) -> None:
        self._name = str(address)
        self.is_open = False
        self._is_asking = False
        self._driver: Any = Driver(  # type: ignore[no-untyped-call]
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            database="default",  # the store's own may still have to be made
            client_name="duco_rt",
            secure=address.tls,
            ca_certs=address.ca_file or None,
            connect_timeout=CONNECT_S,
            sync_request_timeout=PING_S,
            send_receive_timeout=None,  # `_call` watches instead, which costs no task for each piece
            settings={"strings_as_bytes": True},
        )

    async def open(self) -> None:
        """Connect and log in."""
        if constants.CLIENT_REVISION >= _REVISION_OF_MORE_IN_BLOCKS:
            raise TransportError("store: this release of asynch speaks a protocol that duco_rt does not: take 0.4")
        async with self._call(CONNECT_S):
            await self._driver.connect()
            self.is_open = True

    async def answers(self) -> bool:
        """Whether the server still has the connection; if not, it is closed."""
        try:
            async with self._call(PING_S + 1):
                if not await self._driver.ping():
                    self.abort()
        except TransportError:
            pass
        return self.is_open

    async def query(self, statement: str, patience_s: float) -> Columns:
        """Return the columns of a statement's answer, without any where it has no rows."""
        parts: dict[str, list[Any]] = {}
        async with self._call(patience_s) as renew:
            await self._send(statement, _QUERY)
            self._is_asking = True
            while packet := await self._driver.receive_packet():
                renew()
                if packet is not True and packet.block.num_rows:  # the first block has none, only types
                    _add(parts, packet.block.columns_with_types, packet.block.get_columns())
                    await asyncio.sleep(0)
            self._is_asking = False
        return joined(parts)

    async def insert(self, table: str, blocks: Iterable[bytes], patience_s: float) -> None:
        """Send Native blocks with all columns of the table; return when the server has acknowledged them."""
        async with self._call(patience_s) as renew:
            newer = self._driver.server_info.revision >= _REVISION_OF_ANY_SETTING
            await self._send(f"INSERT INTO {table} VALUES", _INSERT if newer else {})
            while await self._driver.receive_packet() is True:
                pass  # until the server has described the table: it is ready
            for each in blocks:
                await self._send_block(each)
                renew()
                await asyncio.sleep(0)
            await self._send_block(_END)
            while await self._driver.receive_packet():
                renew()

    def abort(self) -> None:
        """Close now, without waiting for the server; again does nothing."""
        self.is_open = False
        if self._driver.writer is None:
            return
        transport = self._driver.writer.writer.transport
        # An old server goes on with a query whose client went away without this word.
        if self._is_asking and not transport.is_closing() and not transport.get_write_buffer_size():
            transport.write(_CANCEL)
            transport.close()
        else:
            transport.abort()
        self._is_asking = False

    async def _send(self, statement: str, settings: dict[str, int]) -> None:
        driver = self._driver
        driver.make_query_settings(settings)
        driver.last_query = QueryInfo(driver.reader)  # type: ignore[no-untyped-call]
        await driver.send_query(statement)
        await self._send_block(_END)  # no temporary tables

    async def _send_block(self, data: bytes) -> None:
        await self._driver.writer.write_bytes(_DATA)
        await self._driver.writer.write_bytes(data)
        await self._driver.writer.flush()

    @asynccontextmanager
    async def _call(self, patience_s: float) -> AsyncIterator[Any]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(patience_s) as limit:
                yield lambda: limit.reschedule(loop.time() + patience_s)
        except BaseException as error:
            self._is_asking &= isinstance(error, asyncio.CancelledError | TimeoutError)
            self.abort()  # what comes next on it would be the rest of this call
            if isinstance(error, TransportError) or not isinstance(error, Exception):
                raise
            raise TransportError(f"store: {self._name}: {_reason(error, patience_s)}") from error


def _add(parts: dict[str, list[Any]], types: list[tuple[str, str]], columns: list[Sequence[Any]]) -> None:
    for (name, kind), values in zip(types, columns, strict=True):
        if kind.startswith("Array("):
            parts.setdefault(f"{name}.size", []).append(np.fromiter(map(len, values), "<u8", len(values)))
            kind, values = kind[6:-1], list(chain.from_iterable(values))
        # Of a string that came in two pieces the driver makes a bytearray.
        column = list(map(bytes, values)) if kind == "String" else np.array(values, FIXED[kind])
        parts.setdefault(name, []).append(column)


def _reason(error: BaseException, patience_s: float) -> str:
    if isinstance(error, NetworkError) and error.__cause__ is not None:
        return f"cannot connect: {_reason(error.__cause__, patience_s)}"
    if isinstance(error, ServerException):
        return f"Code: {error.code}. {str(error.message).strip().partition(chr(10))[0][:500]}"
    if isinstance(error, TimeoutError):
        return f"no answer within {patience_s:g} s"
    if isinstance(error, OSError):
        return explained(str(error), "store") or type(error).__name__
    return f"the connection broke ({type(error).__name__}: {error})"
