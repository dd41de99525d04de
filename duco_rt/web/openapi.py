"""`GET /api/openapi.json`: the API's description, made from what routes need, take and answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from aiohttp import web

from duco_rt.config import Web
from duco_rt.web import openapi_answers as say
from duco_rt.web.access.needs import NEEDS, Need
from duco_rt.web.openapi_operations import NOT_FOR_PROGRAMS, OPERATIONS
from duco_rt.web.openapi_parts import PATH_PARAMS, REFINED, Content, Limit, Media, Operation, Param

Json = dict[str, Any]

_ABOUT = """What a program may ask of duco_rt. A process serves the routes of its roles, and answers 404 `no_such_route`
to others. Every error is `{"error": {"code": …, "message": …}}`. docs/security.md says who may do what."""

_TAGS = {
    "process": "What every process serves of itself",
    "studio": "Live data, history and chart groups of a tenant",
    "command": "A machine's command path, at studio and at MetaAPI",
    "metaapi": "Devices, parsings, groups, tokens and the command ledger",
    "access": "Who is asking",
}

_ERRORS = {
    400: "`bad_request`: the message names the argument, and what is wrong with it",
    401: "`unauthorized`: no credentials, or such as are not good",
    403: "`forbidden`: the role is too low; `foreign_host`, `foreign_origin`: asked for by a page of somebody else",
    404: "`not_found`: it is not there, or not for you; `no_such_route`: not at this process",
    408: "`request_timeout`: the body did not come in time",
    409: "`conflict`: another version or holder is there; `device_offline`: the machine is not on the hub",
    413: "`request_entity_too_large`: the body is over `web.body_bytes_max`",
    415: "`unsupported_media_type`: the body has a Content-Encoding",
    429: "`too_many_requests`: `Retry-After` says in how many seconds to ask again",
    431: "`head_too_large`: the head is over `web.header_bytes_max`",
    500: "`internal`: a mistake of the server; its log says which",
    503: "`unavailable`: a transport or the process cannot do it now; try again",
    504: "`device_timeout`: the machine did not answer in time",
}

_SCOPES = {
    "all": "in all tenants",
    "tenant": "in the tenant of the path",
    "query": "in the tenant of the query, in all without one",
    "device": "in the machine's tenant",
    "anywhere": "in the tenant that it is about",
}

_TEXT: Json = {"type": "string"}
_ETAG = {"ETag": {"schema": _TEXT, "description": "For `If-None-Match`"}}
_IF_NONE_MATCH = Param("If-None-Match", _TEXT, "The ETag of what the asker has", None, "header")


class OpenApi:
    """The endpoint; the description is made when it is first asked for."""

    def __init__(self, config: Web, version: str, *, secure: bool = False) -> None:
        """`version` is the program's; `secure`: whether browsers come by TLS, which changes the cookie's name."""
        self._config = config
        self._version = version
        self._secure = secure
        self._text = b""

    async def handle(self, _: web.Request) -> web.Response:
        """The description."""
        if not self._text:
            self._text = await asyncio.to_thread(self._made)
        return web.Response(body=self._text, content_type="application/json")

    def _made(self) -> bytes:
        return msgspec.json.encode(document(self._config, self._version, secure=self._secure))


def document(config: Web, version: str, *, secure: bool = False) -> Json:
    """The description as OpenAPI 3.1. Raises KeyError where a route has none."""
    refs, schemas = say.components([*_types(), say.Error])
    paths: dict[str, Json] = {}
    for (method, path), need in NEEDS.items():
        if path not in NOT_FOR_PROGRAMS:
            operation = OPERATIONS[method, path]
            paths.setdefault(path, {})[method.lower()] = _operation(method, path, need, operation, refs, config)
    for name, refinement in REFINED.items():
        for key, more in refinement.items():
            _refine(schemas[name]["properties"][key], more)
    whole: Json = {
        "openapi": "3.1.0",
        "info": {"title": "duco_rt", "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {str(status): _error(status, about) for status, about in _ERRORS.items()},
            "securitySchemes": _security(secure) if config.auth != "none" else {},
        },
    }
    filled: Json = _filled(whole, config)
    return filled


def _types() -> Iterator[Any]:
    """Every type that has a schema."""
    for operation in OPERATIONS.values():
        for content in (operation.body, *operation.answers.values()):
            for each in content if isinstance(content, tuple) and not isinstance(content, Media) else (content,):
                if each is not None and not isinstance(each, Media):
                    yield each
    yield say.GroupConflict


def _operation(method: str, path: str, need: Need, operation: Operation, refs: Mapping[Any, Json], config: Web) -> Json:
    """One route's part of the description."""
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    params = [*(PATH_PARAMS[name] for name in names), *operation.params]
    if operation.is_tagged:
        params.append(_IF_NONE_MATCH)
    made: Json = {
        "tags": [operation.tag],
        "operationId": _operation_id(method, path),
        "summary": operation.summary,
        "description": " ".join(filter(None, (operation.about, _needed(need)))),
        "parameters": [_parameter(each) for each in params],
        "responses": _answers(operation, refs)
        | {
            str(status): {"$ref": f"#/components/responses/{status}"}
            for status in sorted(_refusals(need, operation))
            if status not in operation.answers
        },
        "x-duco-scope": need.scope,
    }
    if (method, path) in _OWN_CONFLICT:
        made["responses"]["409"] = _response(_ERRORS[409], refs[say.GroupConflict])
    if need.scope != "open":
        made["x-duco-role"] = need.role
        made["security"] = [{"bearer": []}, {"cookie": []}] if config.auth != "none" else []
    if operation.body is not None:
        made["requestBody"] = {"required": True, "content": _content(operation.body, refs)}
    return made


_OWN_CONFLICT = {key for key in OPERATIONS if key[1].endswith("groups/{groupId}") and key[0] in ("PUT", "DELETE")}
"""Where a conflict is answered with what is there."""


def _operation_id(method: str, path: str) -> str:
    """A name for generated clients: `getDatasetsChassisIdHistory`."""
    shown = path.removeprefix("/api").replace("/resources/{tenant}/_common", "")
    words = "".join(c if c.isalnum() else " " for c in shown).split()
    return method.lower() + "".join(word[0].upper() + word[1:] for word in words)


def _needed(need: Need) -> str:
    if need.scope == "open":
        return "Needs no credentials."
    return f"Needs the role `{need.role}` {_SCOPES[need.scope]}."


def _parameter(param: Param) -> Json:
    made: Json = {
        "name": param.name,
        "in": param.where,
        "required": param.required,
        "description": param.about,
        "schema": dict(param.schema),
    }
    if param.schema.get("type") == "array":
        made |= {"style": "form", "explode": False}
    if param.example is not None:
        made["example"] = param.example
    return made


def _answers(operation: Operation, refs: Mapping[Any, Json]) -> Json:
    """What it answers when all is well."""
    made: Json = {}
    for status, content in operation.answers.items():
        about = content.about if isinstance(content, Media) else operation.summary
        if content is None:
            made[str(status)] = {"description": about}
        elif isinstance(content, tuple) and not isinstance(content, Media):
            made[str(status)] = _response(about, {"anyOf": [refs[each] for each in content]})
        else:
            made[str(status)] = {"description": about, "content": _content(content, refs)}
        if operation.is_tagged:
            made[str(status)]["headers"] = _ETAG
    if operation.is_tagged:
        made["304"] = {"description": "The asker has it", "headers": _ETAG}
    return made


def _content(content: Content, refs: Mapping[Any, Json]) -> Json:
    if isinstance(content, Media):
        return {content.content_type: {"schema": {}}}
    return {"application/json": {"schema": refs[content]}}


def _refusals(need: Need, operation: Operation) -> set[int]:
    """The errors that a route may answer."""
    found = {400, 403, 404, 429, 431, 500, 503, *operation.refusals}
    if need.scope != "open":
        found.add(401)
    if operation.body is not None:
        found |= {408, 413, 415}
    return found


def _response(about: str, schema: Mapping[str, object]) -> Json:
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _error(status: int, about: str) -> Json:
    made = _response(about, {"$ref": "#/components/schemas/Error"})
    if status == 401:
        made["headers"] = {"WWW-Authenticate": {"schema": _TEXT}}
    elif status == 429:
        made["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return made


def _security(secure: bool) -> Json:
    cookie = "__Host-duco_session" if secure else "duco_session"
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": 'A token (`python -m duco_rt token add`), with `web.auth = "oidc"` also a JWT of the issuer',
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie,
            "description": "A signed-in browser's; what changes something needs the page's own `Origin` with it",
        },
    }


def _refine(schema: Json, more: Mapping[str, Any]) -> None:
    """Put what a handler checks besides into the schema of a property."""
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(schema.get(key), dict):
            _refine(schema[key], value)
        else:
            schema[key] = value


def _filled(value: Any, config: Web) -> Any:  # noqa: ANN401  # any JSON
    """The same with the configuration's numbers in the place of their names."""
    if isinstance(value, Limit):
        return getattr(config, value.key)
    if isinstance(value, Mapping):
        return {key: _filled(each, config) for key, each in value.items()}
    return [_filled(each, config) for each in value] if isinstance(value, list) else value
