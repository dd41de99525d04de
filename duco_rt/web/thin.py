"""Fewer points for a wide window: the lowest and the highest value of each bucket of time stay. Pure."""

from __future__ import annotations

from duco_rt.model import History, Value


def thin(found: History, points: int) -> History:
    """At most about `points` rows; fewer rows than that come back unchanged.

    The range is cut into points/2 buckets of absolute time; a bucket becomes two rows, at the place of its first and
    its last sample, with the lowest and highest of each numeric field in the order in which they came (other fields:
    first and last).
    """
    if len(found.ts) <= points:
        return found
    width_ms = max(1, -(-(found.to_ms - found.from_ms + 1) // max(1, points // 2)))
    rows: list[tuple[int, int]] = []
    start = 0
    for i in range(1, len(found.ts) + 1):
        if i == len(found.ts) or found.ts[i] // width_ms != found.ts[start] // width_ms:
            rows.append((start, i))
            start = i
    picks = [i for first, end in rows for i in ((first, end - 1) if end - first > 1 else (first,))]
    return History(
        found.from_ms,
        found.to_ms,
        [found.seq[i] for i in picks],
        [found.ts[i] for i in picks],
        {name: _extremes(column, rows) for name, column in found.fields.items()},
    )


def _extremes(column: list[Value | None], rows: list[tuple[int, int]]) -> list[Value | None]:
    out: list[Value | None] = []
    for first, end in rows:
        if end - first == 1:
            out.append(column[first])
            continue
        numbers = [(value, i) for i in range(first, end) if isinstance(value := column[i], int | float)]
        if numbers:
            lowest, highest = min(numbers), max(numbers)
            out += [value for value, _ in sorted((lowest, highest), key=lambda pair: pair[1])]
        else:
            held = [value for value in column[first:end] if value is not None]
            out += [held[0], held[-1]] if held else [None, None]
    return out
