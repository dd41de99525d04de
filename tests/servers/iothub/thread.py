"""The loopback IoT Hub in a thread with a loop of its own, for tests that outlive one loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.iothub.cloud import Cloud


@contextmanager
def in_thread(folder: Path, devices: tuple[str, ...]) -> Iterator[tuple[Cloud, asyncio.AbstractEventLoop]]:
    """A cloud that serves, and its loop."""
    loop, served = asyncio.new_event_loop(), threading.Event()
    cloud, over = Cloud(folder, devices=devices), asyncio.Event()

    async def serve() -> None:
        async with cloud:
            served.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()], name="iothub-peers")
    thread.start()
    if not served.wait(30):
        raise RuntimeError("the IoT Hub peers do not serve")
    try:
        yield cloud, loop
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
