"""What machines answer to methods, and what they are asked: told or refused in words; the ledger has how each ended."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from duco_rt.model import MethodResult
from tests.fuzz.messages import JSON
from tests.fuzz.test_stages import Run, with_examples
from tests.web.conftest import BASE, Site, is_error

METHODS = "/api/iothubs/ducohub/devices/DUCO_001/methods"


def nested(levels: int) -> object:
    """Lists in each other."""
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


ODD = st.sampled_from(
    ["\ud800", "x" * 20_000, 10**4_000, float("inf"), float("nan"), nested(60), nested(70), nested(900)]
)
ANSWERS = st.builds(
    MethodResult,
    st.integers(-1, 10**9),
    st.dictionaries(st.text(max_size=5) | st.just("\ud800"), JSON | ODD, max_size=4)
    | st.fixed_dictionaries({"ts": JSON | ODD, "commandId": JSON, "action": JSON, "realtime": JSON}),
)


async def test_any_answer(site: Site) -> None:
    """Told as it is, or 503; the row of each command is settled, so that the next one has its turn."""
    await site.device()
    numbers = count()

    async def ask(answer: MethodResult, name: str) -> None:
        async def method(_: str, __: dict[str, object]) -> MethodResult:
            return answer

        site.hub._devices["DUCO_001"].on_method = method
        body = {"methodName": name, "payload": {"commandId": f"c{next(numbers)}", "action": "stop"}}
        found = await site.ask("POST", METHODS, body)
        assert (found[0] == 200 and set(found[1]) == {"status", "payload"}) or is_error(found, 503, "unavailable")
        status, ledger = await site.ask("GET", f"{BASE}/DUCO_001/commands?limit=1")
        assert status == 200 and ledger["commands"][0]["state"] in ("acknowledged", "failed")

    def fuzz(run: Run) -> None:
        @given(ANSWERS, st.sampled_from(["setRealTimeUpload"] * 3 + ["other"]))
        def examples(answer: MethodResult, name: str) -> None:
            run(ask(answer, name))

        examples()

    await ask(MethodResult(200, {}), "setRealTimeUpload")
    await with_examples(fuzz)


async def test_any_question(site: Site) -> None:
    """Of any payload: 200, or 400 that says what is wrong."""
    await site.device()

    async def ask(payload: Any, is_deep: bool = False) -> None:
        text = json.dumps({"methodName": "other", "payload": payload})
        async with site.session.post(METHODS, data=text) as response:
            found = response.status, await response.json()
        assert found[0] == (200 if not is_deep else 400) or is_error(found, 400, "bad_request"), found

    def fuzz(run: Run) -> None:
        @given(
            st.dictionaries(st.text(max_size=5), JSON | ODD, max_size=3).map(lambda more: {"commandId": "a", **more})
        )
        def examples(payload: dict[str, object]) -> None:
            run(ask(payload))

        examples()

    await ask({"commandId": "a", "b": nested(70)}, is_deep=True)
    await with_examples(fuzz)
