"""History as a pyarrow table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from duco_rt.model import History, Value

if TYPE_CHECKING:
    import pyarrow


def history_table(found: History) -> pyarrow.Table:
    """Columns ts (timestamp[ms, UTC]), seq (int64), then a column a field; null where a sample lacks it.

    A field that is called ts or seq is in the column field.ts or field.seq.
    """
    import pyarrow as pa

    columns = {
        "ts": pa.array(found.ts, pa.timestamp("ms", "UTC")),
        "seq": pa.array(found.seq, pa.int64()),
    }
    for name, values in found.fields.items():
        columns[name if name not in columns else f"field.{name}"] = _column(values)
    return pa.table(columns)


def _column(values: list[Value | None]) -> pyarrow.Array:
    """float64 for numbers, bool or string where all are, text where they are mixed."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float}:
        return pa.array([None if value is None else _float(value) for value in values], pa.float64())
    if len(kinds) == 1:
        return pa.array(values)
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _float(value: Value) -> float:
    """The nearest float; an integer past the largest one is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]
