"""docs/security.md names the tests that show what it says: they are there."""

from __future__ import annotations

import re
from pathlib import Path

from duco_rt.web.access.needs import NEEDS

REPO = Path(__file__).resolve().parent.parent
TEXT = (REPO / "docs" / "security.md").read_text("utf-8")


def test_what_shows_it_is_there() -> None:
    """Files below tests/, and other files of the repository."""
    named = set(re.findall(r"`((?:[\w-]+/)*[\w.-]+\.(?:py|mjs))`", TEXT))
    assert len(named) > 20
    missing = [name for name in sorted(named) if not any((REPO / top / name).is_file() for top in ("tests", "."))]
    assert not missing


def test_who_attacks_is_answered_by_tests() -> None:
    """Each row of the table names one at least."""
    rows = TEXT.partition("shown by `tests/…` |")[2].partition("\n\n")[0].strip().splitlines()[1:]
    assert len(rows) > 10
    assert not [row for row in rows if ".py`" not in row]


def test_open_routes_are_those_that_it_names() -> None:
    """What is answered without credentials."""
    [row] = [line for line in TEXT.splitlines() if line.startswith("| anybody on the network")]
    pages = {"page", "/sign-in", "/sign-in/oidc", "/sign-in/oidc/back", "/sign-out"}
    for (_, path), need in NEEDS.items():
        if need.scope == "open" and path not in pages:
            assert f"`{path}`" in row
    assert "sign-in" in row
