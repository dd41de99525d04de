"""History as a pyarrow table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from duco_rt.model import History, SpanColumns, Value

if TYPE_CHECKING:
    import pyarrow


def history_table(found: History) -> pyarrow.Table:
    """Columns ts (timestamp[ms, UTC]), seq (int64), then a column a field; null where a sample lacks it.

    Of a field with stats come NAME.min, NAME.max (float64) and NAME.count (int64) after it, null where not known.
    A field that is called as one of the other columns (ts, seq, NAME.min, …) is in the column field.ts and so on.
    """
    import pyarrow as pa

    columns = {
        "ts": pa.array(found.ts, pa.timestamp("ms", "UTC")),
        "seq": pa.array(found.seq, pa.int64()),
    }
    taken = {*columns, *(f"{name}.{part}" for name in found.stats for part in SpanColumns._fields)}
    for name, values in found.fields.items():
        column = name
        while column in taken:
            column = f"field.{column}"
        taken.add(column)
        columns[column] = _column(values)
        if name in found.stats:
            low, high, counts = found.stats[name]
            columns[f"{name}.min"] = pa.array(low, pa.float64())
            columns[f"{name}.max"] = pa.array(high, pa.float64())
            columns[f"{name}.count"] = pa.array(counts, pa.int64())
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
