"""The tree of errors is as its docstring draws it."""

from __future__ import annotations

import inspect
import re

from duco_rt import errors


def test_the_drawn_tree_is_the_tree() -> None:
    """Each class once, below its base."""
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│ ├└─]*)([A-Z]\w+)(?:\s{2,}\S|$)", line)
        if found:
            del above[len(found[1]) // 4 :]
            drawn[found[2]] = above[-1] if above else "Exception"
            above.append(found[2])
    real = {
        name: kind.__base__.__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__ and kind.__base__
    }
    assert drawn == real
