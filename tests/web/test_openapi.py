"""The API's description: whole, true to the table of rights, and with the configuration's own numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from aiohttp.test_utils import make_mocked_request
from schemathesis.specs.openapi.definitions import OPENAPI_31

from duco_rt.config import Web
from duco_rt.web.access.needs import NEEDS
from duco_rt.web.openapi import OpenApi, document
from duco_rt.web.openapi_operations import OPERATIONS

TOKENS = Web(auth="tokens", history_fields_max=17)


def operations(whole: dict[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """Method and path, and what is said of it."""
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            yield (method.upper(), path), operation


def test_it_has_every_route() -> None:
    """But the pages."""
    assert {key for key, _ in operations(document(TOKENS, "1.2.3"))} == set(OPERATIONS)


async def test_the_endpoint() -> None:
    """The description of this server, made once."""
    openapi = OpenApi(TOKENS, "1.2.3", secure=True)
    first, again = [await openapi.handle(make_mocked_request("GET", "/api/openapi.json")) for _ in range(2)]
    assert first.content_type == "application/json" and first.body == again.body
    assert json.loads(str(first.text)) == json.loads(json.dumps(document(TOKENS, "1.2.3", secure=True)))


def test_it_is_openapi() -> None:
    """As the specification's own schema has it."""
    jsonschema_rs.validator_for(OPENAPI_31).validate(document(TOKENS, "1.2.3"))


def test_rights_are_those_of_the_table() -> None:
    """Role and scope, and whether credentials are needed."""
    for key, operation in operations(document(TOKENS, "1.2.3")):
        need = NEEDS[key]
        assert operation["x-duco-scope"] == need.scope
        is_open = need.scope == "open"
        assert operation.get("x-duco-role") == (None if is_open else need.role)
        assert operation.get("security") == (None if is_open else [{"bearer": []}, {"cookie": []}])
        assert ("401" in operation["responses"]) is not is_open
        assert is_open or f"`{need.role}`" in operation["description"]


def test_without_authentication_nothing_asks_for_it() -> None:
    """A server that serves its own machine alone says so."""
    whole = document(Web(), "1.2.3")
    assert whole["components"]["securitySchemes"] == {}
    assert all(not operation.get("security") for _, operation in operations(whole))


def test_the_cookie_has_its_name_under_tls() -> None:
    """As the browser keeps it."""
    for secure, name in ((False, "duco_session"), (True, "__Host-duco_session")):
        assert document(TOKENS, "1", secure=secure)["components"]["securitySchemes"]["cookie"]["name"] == name


def test_limits_are_the_configuration() -> None:
    """Not those of the defaults."""
    history = document(TOKENS, "1")["paths"]["/api/resources/{tenant}/_common/datasets/{chassisId}/history"]["get"]
    fields = next(each for each in history["parameters"] if each["name"] == "fields")
    assert fields["schema"]["maxItems"] == 17 and fields["required"] and fields["explode"] is False


def test_path_parameters_are_those_of_the_path() -> None:
    """Each with an example, so that the demo can be asked at once."""
    for (_, path), operation in operations(document(TOKENS, "1")):
        named = [each for each in operation["parameters"] if each["in"] == "path"]
        assert [each["name"] for each in named] == re.findall(r"{(\w+)}", path)
        assert all(each["required"] and each["example"] for each in named)


def test_examples_are_good() -> None:
    """Each is one that its own schema takes."""
    for _, operation in operations(document(TOKENS, "1")):
        for each in operation["parameters"]:
            if "example" in each:
                jsonschema_rs.validate(each["schema"], each["example"])


def test_references_lead_somewhere() -> None:
    """And no name of a schema begins with what marks a private one."""
    whole = document(TOKENS, "1")
    for place in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(whole))):
        found = whole
        for part in place.split("/"):
            found = found[part]
    assert not [name for name in whole["components"]["schemas"] if name.startswith("_")]
    ids = [operation["operationId"] for _, operation in operations(whole)]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[a-z]+[A-Za-z]+", each) for each in ids)


def test_every_error_has_the_same_shape() -> None:
    """A program that reads one reads all."""
    whole = document(TOKENS, "1")
    for status, response in whole["components"]["responses"].items():
        assert int(status) >= 400
        assert response["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


def test_a_route_without_description_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The document is not made without it."""
    monkeypatch.delitem(OPERATIONS, ("GET", "/healthz"))
    with pytest.raises(KeyError, match="healthz"):
        document(TOKENS, "1")
