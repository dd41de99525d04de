"""Two processes of the real program with tokens: a studio in front of a MetaAPI, from the first token to its end."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp

from tests.programs import REPO, Program, program

AUTH = ("web.auth=tokens", "web.token_refresh_s=0.5")


async def token(data_dir: Path, *words: str) -> str:
    """What `duco_rt token` prints."""
    arguments = [sys.executable, "-m", "duco_rt", "token", *words, "--set", f"app.data_dir={data_dir}"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*arguments, cwd=REPO, stdout=pipe, stderr=pipe)
    out, errors = await process.communicate()
    assert process.returncode == 0, errors
    return out.decode().strip()


async def error(http: aiohttp.ClientSession, address: str, **more: Any) -> tuple[int, str]:
    """Status and code."""
    async with http.get(address, **more) as response:
        return response.status, (await response.json())["error"]["code"]


def audited(log: Path) -> list[dict[str, Any]]:
    """The audit lines of a process."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "audit"]


async def use(http: aiohttp.ClientSession, studio: Program, anna: dict[str, str]) -> None:
    """What an operator of the tenant does, and what nobody may."""
    async with http.get(studio.address(""), headers=anna) as response:
        assert [device["chassisId"] for device in await response.json()] == ["DUCO_001"]
    assert await error(http, studio.address("")) == (401, "unauthorized")
    assert await error(http, f"{studio.url}metrics", headers=anna) == (403, "forbidden")
    other = studio.address("").replace("duco/_common", "other/_common")
    assert await error(http, other, headers=anna) == (404, "not_found")
    payload = {"action": "start", "reason": "user_action", "commandId": "c1", "viewerId": "v1", "askedBy": "boss"}
    body = {"methodName": "setRealTimeUpload", "payload": payload}
    place = f"{studio.url}api/iothubs/ducohub/devices/DUCO_001/methods"
    async with http.post(place, json=body, headers=anna) as response:
        assert (await response.json())["payload"]["source"] == "device"
    async with http.get(studio.address("/DUCO_001/commands"), headers=anna) as response:
        rows = (await response.json())["commands"]
    assert [(row["commandId"], row["who"]) for row in rows] == [("c1", "anna")]


async def test_from_the_first_token_to_its_end(tmp_path: Path) -> None:
    """Made by the command line, used at the studio, taken back: what it had open ends."""
    metaapi_dir, secret = tmp_path / "metaapi", tmp_path / "secret"
    async with asyncio.timeout(90), program(metaapi_dir, *AUTH, 'app.roles=["metaapi", "device"]') as metaapi:
        secret.write_text(await token(metaapi_dir, "add", "studio", "--tenant", "*", "--role", "service"))
        text = await token(metaapi_dir, "add", "anna", "--tenant", "duco", "--role", "operator")
        anna = {"Authorization": f"Bearer {text}"}
        behind = ('app.roles=["studio"]', "meta.kind=http", f"meta.url={metaapi.url}", f"meta.token_file={secret}")
        studio_dir = tmp_path / "studio"
        async with program(studio_dir, *AUTH, *behind) as studio, aiohttp.ClientSession() as http:
            await use(http, studio, anna)
            async with http.ws_connect(studio.address("/DUCO_001/live"), headers=anna) as socket:
                await socket.send_json({"type": "INIT_FIELD_LIST", "payload": ["speed"], "ack": True})
                assert (await socket.receive_json())["type"] == "ACK"
                await token(metaapi_dir, "remove", text.split("_")[1])
                ended = await socket.receive()
                assert (ended.type, ended.data, ended.extra) == (aiohttp.WSMsgType.CLOSE, 1008, "signed out")
            assert await error(http, studio.address(""), headers=anna) == (401, "unauthorized")
            assert await error(http, f"{metaapi.url}api/metaapi/devices", headers=anna) == (401, "unauthorized")
    log = audited(studio_dir.with_suffix(".log"))
    done = [(line["who"], line["device"], line["action"]) for line in log if line["result"] == "done"]
    assert done == [("anna", "DUCO_001", "start")]
    assert {"unauthorized", "forbidden", "foreign"} <= {line.get("reason") for line in log}
    kinds = [line["event_kind"] for line in audited(metaapi_dir.with_suffix(".log"))]
    assert kinds.count("token") == 3
    for log_file in (studio_dir.with_suffix(".log"), metaapi_dir.with_suffix(".log")):
        written = log_file.read_text("utf-8")
        assert text.split("_", 2)[2] not in written and secret.read_text().split("_", 2)[2] not in written
