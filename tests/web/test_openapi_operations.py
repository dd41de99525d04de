"""What is said of each route."""

from __future__ import annotations

from duco_rt.web.access.needs import NEEDS
from duco_rt.web.openapi_operations import NOT_FOR_PROGRAMS, OPERATIONS


def test_every_route_is_described() -> None:
    """A route without a description, or a description without a route, fails here."""
    assert set(OPERATIONS) == {key for key in NEEDS if key[1] not in NOT_FOR_PROGRAMS}


def test_what_is_left_out_is_there() -> None:
    """Paths that no program asks for."""
    assert {path for _, path in NEEDS} > NOT_FOR_PROGRAMS


def test_each_says_what_it_is_for() -> None:
    """In one short line, and what changes something has a body or says by its path what."""
    for operation in OPERATIONS.values():
        assert 0 < len(operation.summary) < 80 and not operation.summary.endswith(".")
        assert all(status < 400 or status == 503 for status in operation.answers)
        assert all(status >= 400 for status in operation.refusals)
