"""J1939: parameter group numbers, and which raw values are no value. Pure. Source: SAE J1939-21, J1939-71."""

from __future__ import annotations

import re

_NO_VALUE_NAME = re.compile(r"not.?avail|error|reserved|take no action|don.?t care|\bn/?a\b|\bsna\b", re.IGNORECASE)


def pgn_of(can_id: int) -> int:
    """The parameter group number of a 29-bit id; in PDU1 (PF < 240) PS is an address, no part of it.

    ```
    28..26    25 24     23..16  15..8            7..0
    priority  EDP DP    PF      PS (DA or GE)    source address
    ```
    """
    pgn = (can_id >> 8) & 0x3FFFF
    return pgn if (pgn >> 8) & 0xFF >= 240 else pgn & 0x3FF00


def source_of(can_id: int) -> int:
    """The source address of a 29-bit id."""
    return can_id & 0xFF


def value_limit(length_bits: int) -> int | None:
    """The first raw value that is "error" or "not available"; None where every raw value is a value.

    Whole bytes: 0xFE.. is error, 0xFF.. not available. Discrete parameters: the last two codes. One bit has none.
    """
    if length_bits < 2:
        return None
    if length_bits % 8 == 0 and length_bits <= 32:
        return 0xFE << (length_bits - 8)
    return (1 << length_bits) - 2


def names_a_value(choice: str) -> bool:
    """Whether a database's name for a raw value means a state and not "error" or "not available".

    A state that takes one of the last codes (EEC1's torque mode 14, "Other") is a value where its database names it.
    """
    return not _NO_VALUE_NAME.search(choice)
