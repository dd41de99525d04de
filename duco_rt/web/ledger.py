"""What a call of setRealTimeUpload is in the command ledger. Pure."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from duco_rt.errors import BadRequest, DeviceTimeout, TransportError
from duco_rt.model import COMMAND_ID_MAX, Command, CommandState, MethodResult
from duco_rt.rights import Identity

SET_REALTIME = "setRealTimeUpload"

ASKED_BY = "askedBy"
"""In a payload: who asks, as the server that was asked knows them. No machine is told."""

ANONYMOUS = "anonymous"

_REASON_MAX = 200
_DEPTH_MAX = 64


def check_command(method: str, payload: dict[str, object]) -> str:
    """The commandId of a method call. Raises BadRequest naming what is wrong."""
    command_id = payload.get("commandId")
    if not isinstance(command_id, str) or not 1 <= len(command_id) <= COMMAND_ID_MAX:
        raise BadRequest(f"payload.commandId: a text of 1 to {COMMAND_ID_MAX} characters is needed")
    if method == SET_REALTIME and payload.get("action") not in ("start", "stop"):
        raise BadRequest(f"payload.action {payload.get('action')!r}: start or stop")
    viewer = payload.get("viewerId")
    if viewer is not None and not (isinstance(viewer, str) and 1 <= len(viewer) <= COMMAND_ID_MAX):
        raise BadRequest(f"payload.viewerId: a text of 1 to {COMMAND_ID_MAX} characters")
    if _depth(payload) > _DEPTH_MAX:
        raise BadRequest(f"payload: more than {_DEPTH_MAX} lists and objects in each other")
    asker = payload.get(ASKED_BY)
    if asker is not None and not (isinstance(asker, str) and 1 <= len(asker) <= COMMAND_ID_MAX):
        raise BadRequest(f"payload.{ASKED_BY}: a text of 1 to {COMMAND_ID_MAX} characters")
    return command_id


def check_answer(chassis_id: str, result: MethodResult) -> None:
    """Raises TransportError for an answer that could be neither kept nor told: a machine may say anything."""
    if _depth(result.payload) > _DEPTH_MAX:
        raise TransportError(f"device {chassis_id} answered with over {_DEPTH_MAX} lists and objects in each other")
    try:
        msgspec.json.encode(result.payload)
    except (ValueError, TypeError, OverflowError) as e:
        raise TransportError(f"device {chassis_id} answered what is no JSON: {type(e).__name__}") from e


def _depth(value: object) -> int:
    """How many lists and objects are in each other; no deeper than what was read is dangerous to look at."""
    depth, level = 0, [value]
    while level and depth <= _DEPTH_MAX:
        depth += 1
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [each for part in inner for each in part]
    return depth


def asked_by(asker: Identity, method: str, payload: dict[str, object]) -> dict[str, object]:
    """The payload in the name of who asks. Another process of ours says itself for whom it does."""
    if method != SET_REALTIME or asker.is_service:
        return payload
    return {**payload, ASKED_BY: asker.name[:COMMAND_ID_MAX] or asker.kind}


def viewer_of(payload: dict[str, object]) -> str | None:
    """Who holds the lease: a viewerId counts for its user alone. None for a stop that is everybody's."""
    viewer, asker = payload.get("viewerId"), payload.get(ASKED_BY)
    if viewer is None and payload.get("action") == "stop":
        return None
    if asker is None:
        return str(viewer or ANONYMOUS)
    return f"{quote(str(asker), safe='', errors='replace')}/{viewer or ''}"


def told(payload: dict[str, object]) -> dict[str, object]:
    """What of a payload the machine gets."""
    return {key: value for key, value in payload.items() if key != ASKED_BY}


def command_of(chassis_id: str, payload: dict[str, object], state: CommandState, now_ms: int) -> Command:
    """The row of a payload that `check_command` let through, which begins now."""
    viewer, reason = payload.get(ASKED_BY) or payload.get("viewerId"), payload.get("reason")
    who = str(viewer) if viewer else "cron" if reason == "lease" else ANONYMOUS
    return Command(
        chassis_id=chassis_id,
        command_id=str(payload["commandId"]),
        action="start" if payload["action"] == "start" else "stop",
        reason=reason[:_REASON_MAX] if isinstance(reason, str) else "",
        who=who,
        state=state,
        queued_ms=now_ms,
        sent_ms=now_ms if state == "sent" else None,
    )


def answered(sent: Command, result: MethodResult, now_ms: int) -> Command:
    """The row once the device has spoken: acknowledged by its 200 alone."""
    state: CommandState = "acknowledged" if result.status == 200 else "failed"
    return replace(sent, state=state, answered_ms=now_ms, answer=result)


def unanswered(command: Command, error: BaseException) -> Command:
    """The row once it is clear that no answer comes."""
    state: CommandState = "expired" if isinstance(error, DeviceTimeout) else "failed"
    return replace(command, state=state, error=str(error) or type(error).__name__)
