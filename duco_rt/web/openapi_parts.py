"""What the API's description is put together from: parameters, bodies, and what handlers check beyond their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from duco_rt.model import COMMAND_ID_MAX
from duco_rt.transports.base_data import COMMANDS_PAGE_MAX, DEVICE_NAME_MAX
from duco_rt.web.access.tokens import DAYS_MAX, GRANTS_MAX, NAME_MAX

Schema = Mapping[str, object]


class Limit(NamedTuple):
    """A number of a schema that is a key of `[web]`."""

    key: str


class Param(NamedTuple):
    """A parameter; `example` works on the demo."""

    name: str
    schema: Schema
    about: str
    example: object = None
    where: Literal["path", "query", "header"] = "query"
    required: bool = False


class Media(NamedTuple):
    """A body that is not JSON, or a stream of it."""

    content_type: str
    about: str


Content = type | Media | None


class Operation(NamedTuple):
    """What a route is for. `answers`: by status what a good one holds (several: one of them), None for no body.

    `refusals`: errors that not every route has. `is_tagged`: it has an ETag, and answers 304 to who has it.
    """

    tag: Literal["process", "studio", "command", "metaapi", "access"]
    summary: str
    answers: Mapping[int, Content | tuple[type, ...]]
    params: tuple[Param, ...] = ()
    body: Content = None
    refusals: tuple[int, ...] = ()
    is_tagged: bool = False
    about: str = ""


NAME: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
INTEGER: Schema = {"type": "integer", "minimum": -(10**15) + 1, "maximum": 10**15 - 1}
_ID: Schema = {"type": "string", "minLength": 1, "maxLength": COMMAND_ID_MAX}
_FIELD_LIST: Schema = {
    "type": "array",
    "items": {"type": "string", "pattern": "^[^,]+$"},
    "minItems": 1,
    "maxItems": Limit("history_fields_max"),
}
_STATS: Schema = {"type": "array", "items": {"enum": ["last", "min", "max", "count", "mean", "seconds"]}}
_HEX_16: Schema = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
_TEXTS_MAX = 20

PATH_PARAMS = {
    "tenant": Param("tenant", NAME, "The tenant (orgId)", "duco", "path", True),
    "chassisId": Param("chassisId", NAME, "The machine", "DUCO_001", "path", True),
    "hub": Param("hub", NAME, "The hub's name, `hub.name`", "ducohub", "path", True),
    "groupId": Param("groupId", NAME, "The chart group", "drive", "path", True),
    "name": Param("name", NAME, "The parsing", "demo", "path", True),
    "id": Param("id", _HEX_16, "The credential", "0" * 16, "path", True),
}

REFINED: Mapping[str, Mapping[str, Schema]] = {
    "DeviceBody": {"tenant": NAME, "name": {"maxLength": DEVICE_NAME_MAX}},
    "FileBody": {
        "format": {"enum": ["dbc", "kcd", "sym", "arxml"]},
        "sources": {"items": {"type": "integer", "minimum": 0, "maximum": 253}},
    },
    "ParsingBody": {"files": {"minItems": 1, "maxItems": _TEXTS_MAX}},
    "MethodBody": {
        "payload": {"required": ["commandId"], "properties": {"commandId": _ID, "viewerId": _ID}},
    },
    "Group": {"msgType": NAME},
    "Command": {"chassisId": NAME, "commandId": _ID, "who": _ID, "reason": {"maxLength": 1000}},
    "AskedToken": {
        "name": {"minLength": 1, "maxLength": NAME_MAX},
        "grants": {
            "minProperties": 1,
            "maxProperties": GRANTS_MAX,
            "propertyNames": {"pattern": r"^(\*|[A-Za-z0-9_-]{1,64})$"},
        },
        "days": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": DAYS_MAX}, {"type": "null"}]},
    },
    "Credential": {"id": _HEX_16, "digest": {"pattern": "^[0-9a-f]{64}$"}},
    "CommandNotes": {"commands": {"maxItems": 1000}},
}
"""What handlers check beyond the types of their bodies: property → what its schema has besides."""

MSG_TYPE = Param("msgType", NAME, "Type of message", "vehicle_can")
FROM = Param("from", INTEGER, "Unix ms of the device's clock; by default what `to` and the usual length give")
TO = Param("to", INTEGER, "Unix ms of the device's clock, now by default")
TENANT = Param("tenant", NAME, "Of this tenant alone; without it the role is needed in all", "duco")
TENANT_NEEDED = TENANT._replace(about="The tenant", required=True)
IF_MATCH = Param("If-Match", {"type": "string"}, 'The version that was changed, such as `"3"`', None, "header")
IF_NONE_MATCH = Param("If-None-Match", {"const": "*"}, "Only make a group that is not there", None, "header")
LEDGER_PAGE = (
    Param("limit", {"type": "integer", "minimum": 1, "maximum": COMMANDS_PAGE_MAX}, "How many, 50 by default"),
    Param("before", INTEGER, "Of those queued before, Unix ms"),
)
HISTORY = (
    Param("fields", _FIELD_LIST, "Names, with commas between them", ["speed", "engine_rpm"], required=True),
    MSG_TYPE,
    FROM._replace(about="Unix ms of the device's clock; 2 min before `to` by default"),
    TO,
    Param("resolution", {"enum": ["second", "full"]}, "A row a second, or every frame with its own time", "second"),
    Param("points", {"type": "integer", "minimum": 2, "maximum": 10**15 - 1}, "Thin to about so many rows"),
    Param("stats", _STATS, "What of each field and second besides the last value; with `resolution=second`"),
)
TAR = Media("application/x-tar", "An archive, for restore")
PROMETHEUS = Media("text/plain", "Prometheus text")
