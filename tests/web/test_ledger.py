"""What a call is in the command ledger: who, why, and how it ended."""

from __future__ import annotations

import asyncio

import pytest

from duco_rt.errors import BadRequest, DeviceOffline, DeviceTimeout, TransportError
from duco_rt.model import Command, MethodResult
from duco_rt.rights import ANONYMOUS, Identity
from duco_rt.web.ledger import (
    ASKED_BY,
    answered,
    asked_by,
    check_command,
    command_of,
    told,
    unanswered,
    viewer_of,
)

NOW = 1_700_000_000_000


def payload(**more: object) -> dict[str, object]:
    """The payload of a start."""
    return {"action": "start", "reason": "user_action", "commandId": "c1", **more}


WHO: dict[str, tuple[dict[str, object], str]] = {
    "a viewer": ({"viewerId": "v1"}, "v1"),
    "the cron": ({"reason": "lease"}, "cron"),
    "a viewer whose reason is the lease": ({"reason": "lease", "viewerId": "v1"}, "v1"),
    "nobody": ({}, "anonymous"),
    "who signed in": ({"viewerId": "v1", "reason": "lease", ASKED_BY: "anna"}, "anna"),
}


@pytest.mark.parametrize("case", WHO)
def test_who_it_was(case: str) -> None:
    """The viewer where it says so; the cron by its reason."""
    more, who = WHO[case]
    assert command_of("D1", payload(**more), "queued", NOW).who == who


REASONS: list[tuple[object, str]] = [("user_action", "user_action"), ("x" * 999, "x" * 200), (None, ""), ([1], "")]


@pytest.mark.parametrize(("reason", "kept"), REASONS)
def test_the_reason_is_a_short_text(reason: object, kept: str) -> None:
    """Whatever a caller sends."""
    assert command_of("D1", payload(reason=reason), "queued", NOW).reason == kept


def test_only_what_goes_out_has_a_time_for_it() -> None:
    """A queued or leased command was not sent."""
    sent = [command_of("D1", payload(), state, NOW).sent_ms for state in ("queued", "leased", "sent")]
    assert sent == [None, None, NOW]


def sent() -> Command:
    """A command that is with the device."""
    return command_of("D1", payload(), "sent", NOW)


@pytest.mark.parametrize(("status", "state"), [(200, "acknowledged"), (409, "failed"), (207, "failed"), (0, "failed")])
def test_only_the_devices_own_200_is_an_acknowledgement(status: int, state: str) -> None:
    """Its answer is kept whatever it is."""
    found = answered(sent(), MethodResult(status, {"x": 1}), NOW + 5)
    assert (found.state, found.answered_ms, found.answer) == (state, NOW + 5, MethodResult(status, {"x": 1}))
    assert found.is_settled == (status == 200)


ERRORS: list[tuple[BaseException, str, str]] = [
    (DeviceOffline("away"), "failed", "away"),
    (DeviceTimeout("silent"), "expired", "silent"),
    (TransportError("broken"), "failed", "broken"),
    (ValueError(), "failed", "ValueError"),
    (asyncio.QueueFull(), "failed", "QueueFull"),
]


@pytest.mark.parametrize(("error", "state", "words"), ERRORS)
def test_no_answer(error: BaseException, state: str, words: str) -> None:
    """Expired where none came in time, failed where the way was closed; the row says why and has no answer."""
    found = unanswered(sent(), error)
    assert (found.state, found.error, found.answered_ms, found.answer) == (state, words, None, None)
    assert not found.is_settled


BAD: list[tuple[str, dict[str, object]]] = [
    ("commandId", {"commandId": ""}),
    ("commandId", {"commandId": 7}),
    ("commandId", {"commandId": "x" * 129}),
    ("action 'jump'", {"action": "jump"}),
    ("viewerId", {"viewerId": ""}),
    ("viewerId", {"viewerId": 7}),
]


@pytest.mark.parametrize(("named", "more"), BAD)
def test_what_is_refused(named: str, more: dict[str, object]) -> None:
    """The error names the key."""
    with pytest.raises(BadRequest, match=f"payload.{named}"):
        check_command("setRealTimeUpload", payload(**more))
    assert check_command("reboot", payload(action="jump")) == "c1"


ANNA = Identity("Anna/Ö", "session", {"duco": "operator"}, "0" * 16)
STUDIO = Identity("studio", "token", {"*": "service"}, "1" * 16)


def test_in_whose_name_it_goes_on() -> None:
    """Who signed in cannot say otherwise; who asks for others says for whom. Other methods are not touched."""
    forged = payload(**{ASKED_BY: "boss"})
    assert asked_by(ANNA, "setRealTimeUpload", forged) == payload(**{ASKED_BY: "Anna/Ö"})
    for asker in (STUDIO, ANONYMOUS):
        assert asked_by(asker, "setRealTimeUpload", forged) == forged
    assert asked_by(ANNA, "reboot", forged) == forged
    endless = Identity("x" * 500, "jwt", {})
    assert asked_by(endless, "setRealTimeUpload", {})[ASKED_BY] == "x" * 128
    assert told(forged) == payload()


VIEWERS: dict[str, tuple[dict[str, object], str | None]] = {
    "a viewer": ({"viewerId": "v1"}, "v1"),
    "nobody": ({}, "anonymous"),
    "a user's viewer": ({"viewerId": "v/1", ASKED_BY: "a/b"}, "a%2Fb/v/1"),
    "a user": ({ASKED_BY: "anna"}, "anna/"),
    "a name that cannot be written": ({ASKED_BY: "\ud800"}, "%3F/"),
    "a viewer that leaves": ({"action": "stop", "viewerId": "v1", ASKED_BY: "anna"}, "anna/v1"),
    "a stop for all": ({"action": "stop", ASKED_BY: "anna"}, None),
}


@pytest.mark.parametrize("case", VIEWERS)
def test_who_holds_the_lease(case: str) -> None:
    """A viewerId is its user's alone."""
    more, expected = VIEWERS[case]
    assert viewer_of(payload(**more)) == expected


@pytest.mark.parametrize("wrong", [1, "", "x" * 129, ["anna"]])
def test_an_asker_that_is_none(wrong: object) -> None:
    """Is refused by its name."""
    with pytest.raises(BadRequest, match="askedBy"):
        check_command("setRealTimeUpload", payload(**{ASKED_BY: wrong}))
