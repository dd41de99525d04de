"""What the API's description says of each route beyond what `access.needs` says: what it takes and what it answers."""

from __future__ import annotations

from typing import Literal

from duco_rt.disk.restore import Outcome
from duco_rt.model import Command, Parsing
from duco_rt.pipeline.decoding.fields import Field
from duco_rt.rights import Credential
from duco_rt.web import openapi_answers as say
from duco_rt.web.access.tokens import AskedToken
from duco_rt.web.groups import Group
from duco_rt.web.ledger_api import Acknowledged, CommandNotes
from duco_rt.web.metaapi import DeviceBody, MethodBody, ParsingBody
from duco_rt.web.openapi_parsing_health import ParsingHealthReport
from duco_rt.web.openapi_parts import (
    FROM,
    HISTORY,
    IF_MATCH,
    IF_NONE_MATCH,
    INTEGER,
    LEDGER_PAGE,
    MSG_TYPE,
    PROMETHEUS,
    TAR,
    TENANT,
    TENANT_NEEDED,
    TO,
    Media,
    Operation,
    Param,
)
from duco_rt.web.reparse import ReparseBody

_STUDIO = "/api/resources/{tenant}/_common/datasets"
_META = "/api/metaapi"


def _groups(
    place: str, tag: Literal["studio", "metaapi"], query: tuple[Param, ...]
) -> dict[tuple[str, str], Operation]:
    one = f"{place}/{{groupId}}"
    change, good = (*query, IF_MATCH), {200: say.StoredGroup}
    return {
        ("GET", place): Operation(tag, "Chart groups of a tenant", {200: say.StoredGroups}, query, is_tagged=True),
        ("POST", place): Operation(tag, "A new chart group", {201: say.StoredGroup}, query, Group),
        ("GET", one): Operation(tag, "One chart group", good, query),
        ("PUT", one): Operation(
            tag, "Change a chart group", good | {201: say.StoredGroup}, (*change, IF_NONE_MATCH), Group, (409,)
        ),
        ("DELETE", one): Operation(tag, "Forget a chart group", {200: say.Nothing}, change, None, (409,)),
    }


OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/healthz"): Operation("process", "The process lives", {200: say.Alive}),
    ("GET", "/readyz"): Operation("process", "Whether every transport works", {200: say.Readiness, 503: say.Readiness}),
    ("GET", "/metrics"): Operation("process", "Metrics for Prometheus", {200: PROMETHEUS}),
    ("GET", "/api/openapi.json"): Operation("process", "This description", {200: dict}, is_tagged=True),
    ("POST", "/api/backup"): Operation("process", "All that is kept here, as of now", {200: TAR}, refusals=(409,)),
    ("POST", "/api/restore"): Operation(
        "process",
        "Bring in what a backup has",
        {200: Outcome},
        body=TAR._replace(about="What backup gave"),
        refusals=(409,),
    ),
    ("GET", "/api/session"): Operation("access", "Who is asking, and what it may do", {200: say.Session}),
    # studio
    ("GET", _STUDIO): Operation("studio", "Machines of the tenant", {200: list[say.DeviceState]}),
    ("GET", f"{_STUDIO}/{{chassisId}}/fields"): Operation(
        "studio", "Every field of a message type", {200: list[Field]}, (MSG_TYPE,)
    ),
    ("GET", f"{_STUDIO}/{{chassisId}}/history"): Operation(
        "studio",
        "Columns of a time range, the last two minutes by default",
        {200: (say.HistoryRows, say.HistoryFull)},
        HISTORY,
        about="docs/formats.md says what `points`, `stats` and `resolution` do, and what an answer may hold at most.",
    ),
    ("GET", f"{_STUDIO}/{{chassisId}}/parsing-health"): Operation(
        "studio",
        "How the parsing fits what the machine sends",
        {200: ParsingHealthReport},
        (MSG_TYPE, FROM._replace(about="Unix ms; 1 min before `to` by default, 10 min at most"), TO),
    ),
    ("GET", f"{_STUDIO}/{{chassisId}}/commands"): Operation(
        "studio", "Who started and stopped the machine's stream", {200: say.CommandRows}, LEDGER_PAGE
    ),
    ("GET", f"{_STUDIO}/{{chassisId}}/live"): Operation(
        "studio",
        "Live data, by WebSocket",
        {101: None},
        (MSG_TYPE,),
        about=(
            "An upgrade to WebSocket, with the subprotocol `duco.msgpack` or without one. The client sends"
            ' `{"type": "INIT_FIELD_LIST", "payload": ["speed"]}`, and gets every second'
            ' `{"type": "LIVE_DATA", "payload": {"speed": 12.5}, "ts": …, "seq": …}`; docs/live.md has the rest.'
            ' A bad message gets `{"type": "ERROR", …}`. The connection closes with 1009 on one that is too large,'
            " with 1008 where it is not allowed any more, with 1013 where it is too slow."
        ),
    ),
    **_groups(f"{_STUDIO}/_groups", "studio", ()),
    ("POST", "/api/reparse"): Operation(
        "studio",
        "Read a stored range again with today's parsing",
        {200: Media("application/x-ndjson", "A line at a time: notes, how far it is, the result or an error")},
        body=ReparseBody,
        refusals=(409,),
    ),
    # commands
    ("POST", "/api/iothubs/{hub}/devices/{chassisId}/methods"): Operation(
        "command",
        "Call a method of a machine: start and stop its real-time upload",
        {200: say.MethodAnswer},
        body=MethodBody,
        refusals=(409, 504),
        about=(
            "`setRealTimeUpload` needs `payload.action`, `start` or `stop`. A `commandId` acts once. A `start` every"
            " 60 s keeps the stream; `payload.viewerId` names a viewer, and a `stop` with it takes out that one alone."
        ),
    ),
    # MetaAPI
    ("GET", f"{_META}/devices"): Operation(
        "metaapi", "Devices", {200: list[say.DeviceAnswer]}, (TENANT,), is_tagged=True
    ),
    ("GET", f"{_META}/presence"): Operation(
        "metaapi", "Which devices are on the hub; null where it cannot tell", {200: dict[str, bool | None]}, (TENANT,)
    ),
    ("GET", f"{_META}/devices/{{chassisId}}"): Operation(
        "metaapi", "One device", {200: say.DeviceAnswer}, is_tagged=True
    ),
    ("PUT", f"{_META}/devices/{{chassisId}}"): Operation(
        "metaapi",
        "Add or change a device",
        {200: say.DeviceAnswer},
        body=DeviceBody,
        refusals=(409,),
        about=(
            "For who is admin in its tenant, and in the one that it leaves. One that is not known is added by an admin"
            " of all tenants; with `meta.tenants_add_devices` by the tenant's, unless another has or had it (409)."
        ),
    ),
    ("DELETE", f"{_META}/devices/{{chassisId}}"): Operation(
        "metaapi", "Forget a device; its data stay", {200: say.Nothing}
    ),
    ("GET", f"{_META}/devices/{{chassisId}}/parsing"): Operation(
        "metaapi", "A device's parsing with its texts", {200: say.DeviceParsing}, is_tagged=True
    ),
    ("GET", f"{_META}/parsings/{{name}}"): Operation(
        "metaapi",
        "A parsing, the newest version by default",
        {200: Parsing},
        (Param("version", INTEGER, "An earlier one", 1),),
        is_tagged=True,
    ),
    ("PUT", f"{_META}/parsings/{{name}}"): Operation(
        "metaapi",
        "Keep a new version of a parsing",
        {200: Parsing},
        (TENANT._replace(about="Whose a new one is"),),
        ParsingBody,
        (409,),
    ),
    **_groups(f"{_META}/groups", "metaapi", (TENANT_NEEDED,)),
    ("GET", f"{_META}/tokens"): Operation(
        "metaapi",
        "Tokens, never with their secrets",
        {200: say.TokenRows},
        (
            TENANT._replace(about="With a role in this tenant; without it admin in all is needed"),
            Param(
                "kind", {"enum": ["token", "session"]}, "Sessions: browsers that are signed in, newest first", "token"
            ),
        ),
    ),
    ("POST", f"{_META}/tokens"): Operation(
        "metaapi",
        "Make a token",
        {201: say.NewToken},
        body=AskedToken,
        about="Only roles that the asker may give: as admin of each tenant, as service for service and monitor.",
    ),
    ("DELETE", f"{_META}/tokens/{{id}}"): Operation(
        "metaapi",
        "Take a token back, and the sessions opened with it; or end one session",
        {200: say.Nothing},
        (TENANT._replace(about="Take out its role in this tenant alone; one that has no role left goes"),),
    ),
    # MetaAPI, for the other processes
    ("GET", f"{_META}/credentials/{{id}}"): Operation("metaapi", "A token or session as it is kept", {200: Credential}),
    ("POST", f"{_META}/credentials"): Operation(
        "metaapi", "Keep a token or session", {201: say.Nothing}, body=Credential, refusals=(409,)
    ),
    ("DELETE", f"{_META}/credentials/{{id}}"): Operation("metaapi", "Take a token or session back", {200: say.Nothing}),
    ("GET", f"{_META}/parsings/{{name}}/tenants"): Operation(
        "metaapi", "Whose a parsing is, and who uses it", {200: say.ParsingTenants}
    ),
    ("GET", f"{_META}/devices/{{chassisId}}/before"): Operation(
        "metaapi", "The tenant that a removed device was of", {200: say.TenantBefore}
    ),
    ("GET", f"{_META}/devices/{{chassisId}}/commands"): Operation(
        "metaapi",
        "The command ledger of a device, of its tenant of today",
        {200: say.CommandRows},
        (*LEDGER_PAGE, Param("commandId", {"type": "string"}, "Only this one")),
    ),
    ("POST", f"{_META}/devices/{{chassisId}}/commands"): Operation(
        "metaapi", "Claim a commandId", {200: say.Begun}, body=Command
    ),
    ("PUT", f"{_META}/devices/{{chassisId}}/commands"): Operation(
        "metaapi",
        "Take a command from one state to the next",
        {200: say.Moved},
        (
            Param(
                "was",
                {"enum": ["leased", "queued", "sent", "acknowledged", "failed", "expired"]},
                "From",
                "queued",
                "query",
                True,
            ),
        ),
        Command,
    ),
    ("GET", f"{_META}/devices/{{chassisId}}/acknowledged"): Operation(
        "metaapi", "When the device last acknowledged a start", {200: say.AcknowledgedAt}
    ),
    ("PUT", f"{_META}/devices/{{chassisId}}/acknowledged"): Operation(
        "metaapi", "It acknowledged a start again", {200: say.AcknowledgedAt}, body=Acknowledged
    ),
    ("POST", f"{_META}/commands"): Operation(
        "metaapi", "Commands that nobody sent", {200: say.Noted}, body=CommandNotes
    ),
}
"""Method and path as in `NEEDS`; the page's files and the sign-in pages are not for programs."""

NOT_FOR_PROGRAMS = frozenset({"page", "/sign-in", "/sign-in/oidc", "/sign-in/oidc/back", "/sign-out"})
"""Paths that the description leaves out."""
