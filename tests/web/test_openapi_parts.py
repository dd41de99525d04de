"""Parameters and refinements of the description."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from duco_rt.config import Web
from duco_rt.model import NAME
from duco_rt.web.openapi import document
from duco_rt.web.openapi_parts import PATH_PARAMS, REFINED

WHOLE = document(Web(), "1")


def test_refinements_are_of_what_is_there() -> None:
    """A body, or a member of one, that was renamed is noticed."""
    for name, members in REFINED.items():
        assert set(members) <= set(WHOLE["components"]["schemas"][name]["properties"])


@pytest.mark.parametrize("text", ["a", "A-_9" * 16, "", "a" * 65, "ä", "a/b", "a\n", "a b"])
def test_names_are_those_that_are_taken(text: str) -> None:
    """The pattern in the description, which JavaScript reads as well, is that of the server."""
    pattern = dict(PATH_PARAMS["tenant"].schema)
    assert jsonschema_rs.is_valid(pattern, text) == bool(NAME.match(text))


def good(name: str, value: object) -> bool:
    """Whether the description takes a body."""
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{name}", "components": WHOLE["components"]}
    return jsonschema_rs.is_valid(schema, value)


def test_bodies_have_their_limits() -> None:
    """What handlers refuse beyond the types."""
    call = {"methodName": "setRealTimeUpload", "payload": {"commandId": "1", "action": "start"}}
    assert good("MethodBody", call) and not good("MethodBody", call | {"payload": {"action": "start"}})
    assert not good("MethodBody", call | {"payload": {"commandId": "x" * 129}})
    file = {"name": "a.dbc", "text": ""}
    assert good("ParsingBody", {"files": [file]}) and not good("ParsingBody", {"files": []})
    assert not good("ParsingBody", {"files": [file | {"format": "odx"}]})
    assert not good("ParsingBody", {"files": [file | {"sources": [254]}]})
    asked = {"name": "anna", "grants": {"duco": "viewer"}}
    assert good("AskedToken", asked) and not good("AskedToken", asked | {"days": 0})
    assert not good("AskedToken", asked | {"grants": {"no tenant": "viewer"}})
