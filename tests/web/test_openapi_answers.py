"""Schemas of answers."""

from __future__ import annotations

from duco_rt.web import openapi_answers as say


def test_schemas_of_types_and_of_their_parts() -> None:
    """Each once, by its name; what a type holds comes along."""
    refs, named = say.components([say.CommandRows, list[say.DeviceState], say.Error, dict])
    assert refs[say.CommandRows] == {"$ref": "#/components/schemas/CommandRows"}
    assert refs[list[say.DeviceState]] == {"type": "array", "items": {"$ref": "#/components/schemas/DeviceState"}}
    assert refs[dict] == {"type": "object"}
    assert {"CommandRows", "CommandRow", "MethodAnswer", "DeviceState", "Error", "ErrorText"} <= set(named)


def test_names_of_the_protocol() -> None:
    """Fields whose names Python keeps for itself."""
    _, named = say.components([say.HistoryRows])
    assert list(named["HistoryRows"]["properties"]) == ["from", "to", "seq", "ts", "fields", "stats", "gaps"]
    assert named["HistoryRows"]["required"] == ["from", "to", "seq", "ts", "fields"]
