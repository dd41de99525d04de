"""A parsing that changes while the machine runs."""

from __future__ import annotations

import time
from pathlib import Path

import aiohttp

from tests.programs import live, program

NEW = """VERSION ""

BS_:

BU_: ECU

BO_ 160 ENGINE: 8 ECU
 SG_ revolutions : 0|16@1+ (0.125,0) [0|8000] "rpm" ECU
"""


async def test_a_new_parsing_is_noticed_within_ten_seconds(tmp_path: Path) -> None:
    """PUT of a new version: live data has its fields within 10 s, without a lost second; a bad DBC changes nothing."""
    async with program(tmp_path / "data") as running, aiohttp.ClientSession() as http:
        await running.start_realtime(http)
        address = f"{running.url}api/metaapi/parsings/demo"
        bad = {"files": [{"name": "x.dbc", "bus": None, "format": "dbc", "text": NEW.replace("SG_", "SG")}]}
        async with http.put(address, json=bad) as response:
            assert response.status == 400
            assert "x.dbc: line 8" in (await response.json())["error"]["message"]
        seqs: list[int] = []
        changed_s = None
        async for message in live(http, running, "DUCO_001", ["engine_rpm", "revolutions"]):
            seqs.append(message["seq"])
            if changed_s is None:
                assert set(message["payload"]) == {"engine_rpm"}
                good = {"files": [{"name": "x.dbc", "bus": "can2", "format": "dbc", "text": NEW}]}
                async with http.put(address, json=good) as response:
                    assert (await response.json())["version"] == 2
                changed_s = time.monotonic()
            if set(message["payload"]) == {"revolutions"}:
                break
            assert time.monotonic() - changed_s < 10
        assert seqs == list(range(seqs[0], seqs[-1] + 1))
        fields = await running.json(http, "/DUCO_001/fields")
        assert [field["name"] for field in fields] == ["revolutions"]
