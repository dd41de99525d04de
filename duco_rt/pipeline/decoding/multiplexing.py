"""From the pages that a database names to the raw values of their multiplexer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cantools.database.can import Signal

SCALED_BITS_MAX = 16


def raw_pages(multiplexer: Signal, pages: Sequence[int]) -> tuple[int, ...]:
    """The raw values of a multiplexer, as unsigned bits, for which cantools takes one of `pages`, in order.

    cantools compares the physical value, cut to a whole number. Pages that no raw value gives are left out. Raises
    ValueError for a multiplexer that is a float, or long and scaled.
    """
    bits, scale, offset = multiplexer.length, multiplexer.scale, multiplexer.offset
    if multiplexer.is_float:
        raise ValueError("is a float and a multiplexer")
    low, high = (-(1 << bits - 1), 1 << bits - 1) if multiplexer.is_signed else (0, 1 << bits)
    mask = (1 << min(bits, 64)) - 1
    if scale == 1 and offset == 0:
        return tuple(sorted({page & mask for page in pages if low <= page < high and abs(page) < 1 << 63}))
    if bits > SCALED_BITS_MAX:
        raise ValueError(f"is a multiplexer of {bits} bits with a scale or an offset")
    wanted = set(pages)
    return tuple(sorted(raw & mask for raw in range(low, high) if int(raw * scale + offset) in wanted))
