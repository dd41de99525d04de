"""The outbox after an error that nobody thought of."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.device.test_outbox import Rig, running
from tests.device.virtual import until_async


async def test_what_was_on_its_way_when_it_failed_goes_again(tmp_path: Path) -> None:
    """An error that nobody thought of ends the run: begun again it has all that was not acknowledged, of both kinds."""
    rig = Rig(tmp_path / "spool")
    rig.link.acks_at_once = False
    rig.put(0, 1)
    with pytest.raises(ExceptionGroup):
        async with running(rig.outbox.run()):
            await rig.until(2)
            rig.link.waiting[0].set_result(None)
            await until_async(lambda: len(rig.outbox) == 1)
            rig.put(2, 3)
            rig.link.waiting[1].set_exception(RuntimeError("a defect"))
            await asyncio.Event().wait()
    rig.link.waiting.clear()
    rig.link.acks_at_once = True
    async with running(rig.outbox.run()):
        await until_async(lambda: len(rig.outbox) == 0)
        assert sorted(set(rig.link.seqs()[2:])) == [1, 2, 3]
        assert rig.outbox.sent == 4
        rig.put(*range(4, 100))  # no place is lost either
        await until_async(lambda: rig.outbox.sent == 100)
