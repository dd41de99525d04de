"""What the endpoints answer, for the API's description alone: the schemas come from these types.

The handlers build the same shapes from what they have; tests/e2e/test_schemathesis.py holds their answers against this.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from duco_rt.model import Command, CommandState, Parsing, Value
from duco_rt.rights import Role
from duco_rt.web.groups import Group

Ms = Annotated[int, Meta(description="Unix ms")]
_Columns = dict[str, list[Value | None]]
_FROM = {"from_": "from"}


class ErrorText(Struct):
    """What went wrong: a word for programs, and a sentence for people."""

    code: str
    message: str


class Error(Struct):
    """Every error of every endpoint."""

    error: ErrorText


class Alive(Struct):
    """The process lives."""

    status: Literal["ok"]


class Readiness(Struct):
    """Each transport's state, `ok` or what is wrong with it; so for the parts of the process, where it says them."""

    status: Literal["ready", "not ready"]
    transports: dict[str, str]
    components: dict[str, str] | UnsetType = UNSET


class DeviceState(Struct):
    """A machine as the page lists it; `lastSeen` null: never."""

    chassisId: str
    name: str
    online: bool
    realtime: bool
    lastSeen: Ms | None


class HistoryRows(Struct, rename=_FROM):
    """Columns, a row a sample, or a bucket of time where `points` thinned them; null where a row lacks the field.

    `stats` where they were asked for, `gaps` with `points`: ts before and after what is missing.
    """

    from_: Ms
    to: Ms
    seq: list[int]
    ts: list[int]
    fields: _Columns
    stats: dict[str, dict[str, list[float | None]]] | UnsetType = UNSET
    gaps: list[tuple[int, int]] | UnsetType = UNSET


class FullColumn(Struct):
    """One field at full resolution: `ts` in Unix ms with up to three decimals."""

    ts: list[float]
    v: list[float]


class HistoryFull(Struct, rename=_FROM):
    """`resolution=full`: each field has times of its own."""

    from_: Ms
    to: Ms
    fields: dict[str, FullColumn]


class MethodAnswer(Struct):
    """The device's own answer, or studio's from the lease (`"source": "lease"`). `status` is the device's."""

    status: int
    payload: dict[str, object]


class CommandRow(Struct):
    """A row of the command ledger; times in Unix ms by the server's clock, null where not."""

    commandId: str
    action: Literal["start", "stop"]
    reason: str
    who: str
    state: CommandState
    queued: int
    sent: int | None
    answered: int | None
    answer: MethodAnswer | None
    error: str | None
    beats: int
    lastBeat: int | None


class CommandRows(Struct):
    """Newest first."""

    commands: list[CommandRow]


class DeviceAnswer(Struct):
    """What MetaAPI knows of a device; `parsing` null: none."""

    chassisId: str
    tenant: str
    name: str
    parsing: str | None


class DeviceParsing(Struct):
    """The parsing of a device; null where it has none."""

    tenant: str
    parsing: Parsing | None


class StoredGroup(Group):
    """A chart group as it is kept; `version` is one more after each change."""

    groupId: str = ""
    version: int = 1
    changed: Ms = 0


class StoredGroups(Struct):
    """In order."""

    groups: list[StoredGroup]


class GroupConflict(Struct):
    """A change that was refused, and the group that is there."""

    error: ErrorText
    group: StoredGroup


class Nothing(Struct):
    """It is done."""


class Session(Struct):
    """Who asks, by which `web.auth`, in which tenants; `expires` null: no end."""

    auth: Literal["none", "tokens", "oidc"]
    name: str
    grants: dict[str, Role]
    tenants: list[str]
    expires: Ms | None


class TenantBefore(Struct):
    """Null where the device is known, or never was."""

    tenant: str | None


class TokenRow(Struct):
    """A token or session without its secret; `expires` null: no end."""

    id: str
    name: str
    grants: dict[str, Role]
    created: Ms
    expires: Ms | None


class TokenRows(Struct):
    """Oldest first; sessions newest first."""

    tokens: list[TokenRow]


class NewToken(TokenRow):
    """The only time that its text is told."""

    token: str = ""


class ParsingTenants(Struct):
    """Whose a parsing is (null: nobody's), and the tenants that have a device with it."""

    owner: str | None
    tenants: list[str]


class Begun(Struct):
    """Null where the id was claimed; else the row that has it, and acts no more."""

    earlier: Command | None


class Moved(Struct):
    """Whether the row was in the state that was asked for."""

    moved: bool


class Noted(Struct):
    """How many rows were taken."""

    noted: int


class AcknowledgedAt(Struct):
    """When the device last acknowledged a start; null after a stop."""

    ms: Ms | None


def components(types: list[Any]) -> tuple[dict[Any, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Each type's schema, mostly a reference, and the schemas by name, those of their parts too."""
    where = "#/components/schemas/{name}"
    schemas, named = msgspec.json.schema_components(types, schema_hook=_anything, ref_template=where)
    return dict(zip(types, schemas, strict=True)), named


def _anything(_: type) -> dict[str, object]:
    """The schema of `object`; an empty one would be refused."""
    return {"description": "Any JSON"}
