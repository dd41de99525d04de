"""Tables on stdout: names from outside are text in them, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from duco_rt.seeing.logs import escaped


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Lines with the columns of all rows, which are as many in each, below each other."""
    shown = [[escaped(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in shown) for i in range(len(shown[0]) - 1)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)).rstrip() for row in shown
    )
