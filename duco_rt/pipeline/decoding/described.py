"""What database files say, as plain data: the end of reading (`reading`) and the start of compiling (`plan`). Pure.

It crosses the border of a process as MessagePack, so a database is read where reading it can be ended, and nothing
after it knows of the file's format or of the library that read it.
"""

from __future__ import annotations

import msgspec

Number = int | float
"""A scale or an offset as the library has it: whole ones stay whole, so that whole values do."""


class DescribedSignal(msgspec.Struct, frozen=True):
    """One signal. `start` counts as DBC does: Intel its lowest bit, Motorola its highest (see `signals`).

    `choices` names raw values. A multiplexed signal names its multiplexer and the `pages` (the multiplexer's raw
    values) on which it is; `selects` says that it is a multiplexer itself.
    """

    name: str
    start: int
    length: int
    intel: bool = True
    signed: bool = False
    is_float: bool = False
    scale: Number = 1
    offset: Number = 0
    minimum: float | None = None
    maximum: float | None = None
    unit: str | None = None
    comment: str | None = None
    choices: dict[int, str] = {}
    multiplexer: str | None = None
    pages: tuple[int, ...] = ()
    selects: bool = False


class DescribedMessage(msgspec.Struct, frozen=True):
    """One message; `j1939` says that it is matched by its parameter group, whatever priority and source address.

    `fast_packet` says that its group comes as NMEA 2000 fast packets on a bus of 8-byte frames.
    """

    name: str
    frame_id: int
    extended: bool
    length: int
    signals: tuple[DescribedSignal, ...]
    j1939: bool = False
    fast_packet: bool = False
    period_ms: int | None = None


class DescribedFile(msgspec.Struct, frozen=True):
    """The messages of one file, for one bus (None: every bus).

    `sources` are the J1939 source addresses whose fields are kept apart.
    """

    name: str
    messages: tuple[DescribedMessage, ...]
    bus: str | None = None
    sources: tuple[int, ...] = ()
