"""A client as one writes it from the protocol alone: it knows nothing of duco_rt.

    python sample_client.py URL SECONDS     URL: …/datasets/DUCO_001/live?msgType=vehicle_can

It switches real-time upload on through MetaAPI's endpoint, asks for two fields and prints what it gets.
"""

import asyncio
import json
import sys
import uuid
from urllib.parse import urlsplit

import aiohttp


async def main(url: str, seconds: float) -> None:
    """Print one JSON line a message."""
    parts = urlsplit(url)
    chassis = parts.path.split("/")[-2]
    command = {"action": "start", "reason": "user_action", "commandId": str(uuid.uuid4())}
    body = {"methodName": "setRealTimeUpload", "payload": command}
    async with aiohttp.ClientSession() as http:
        async with http.post(
            f"http://{parts.netloc}/api/iothubs/ducohub/devices/{chassis}/methods", json=body
        ) as response:
            print(json.dumps({"answer": await response.json(), "status": response.status}), flush=True)
        async with http.ws_connect(url) as socket:
            await socket.send_str(json.dumps({"type": "INIT_FIELD_LIST", "payload": ["speed", "engine_rpm"]}))
            try:
                async with asyncio.timeout(seconds):
                    async for message in socket:
                        print(message.data, flush=True)
            except TimeoutError:
                return


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
