"""A Runtime in a thread and loop of its own, used with plain calls: a cell that blocks does not stop it."""

from __future__ import annotations

import asyncio
import html
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, Self, TypeVar

import msgspec

from duco_rt.config import Config
from duco_rt.model import MethodResult, Value
from duco_rt.runtime import Runtime

if TYPE_CHECKING:
    import pyarrow

T = TypeVar("T")


class Page:
    """The live page, shown by a notebook."""

    def __init__(self, url: str, height_px: int) -> None:
        self.url = url
        self._height_px = height_px

    def _repr_html_(self) -> str:
        address = html.escape(self.url, quote=True)
        return f'<iframe src="{address}" width="100%" height="{self._height_px}" style="border:0"></iframe>'

    def __repr__(self) -> str:
        return f"Page({self.url})"


class BlockingRuntime:
    """Made by `Runtime(config).start()`. The web server takes a free port. `stop()`, or use it in a `with` block."""

    def __init__(self, config: Config) -> None:
        """Start and wait until it serves; what goes wrong is raised here."""
        web = msgspec.structs.replace(config.web, port=0)
        self._runtime = Runtime(msgspec.structs.replace(config, web=web))
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="duco_rt", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # ends calls that still wait
                runner.run(self._serve())
        except BaseException as e:
            self._error = e
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        async with self._runtime:
            self._ready.set()
            await self._stopping.wait()

    def _do(self, work: Coroutine[object, object, T]) -> T:
        if not self._thread.is_alive():
            work.close()
            raise RuntimeError("this runtime has stopped") from self._error
        waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return waiting.result()
        except KeyboardInterrupt:  # the cell was interrupted: what it waited for ends too
            waiting.cancel()
            raise

    @property
    def url(self) -> str:
        """Where the page is."""
        return self._runtime.url

    def start_realtime(self, chassis_id: str) -> MethodResult:
        """See Runtime.start_realtime."""
        return self._do(self._runtime.start_realtime(chassis_id))

    def collect(
        self,
        chassis_id: str,
        msg_type: str = "vehicle_can",
        *,
        fields: Sequence[str] | None = None,
        seconds: float = 10,
    ) -> list[dict[str, Value | None]]:
        """See Runtime.collect; blocks for `seconds`."""
        return self._do(self._runtime.collect(chassis_id, msg_type, fields=fields, seconds=seconds))

    def history(
        self,
        chassis_id: str,
        msg_type: str = "vehicle_can",
        *,
        fields: Sequence[str],
        minutes: float = 2,
        resolution: Literal["second", "full"] = "second",
        stats: Sequence[str] = (),
    ) -> pyarrow.Table:
        """See Runtime.history."""
        read = self._runtime.history
        return self._do(read(chassis_id, msg_type, fields=fields, minutes=minutes, resolution=resolution, stats=stats))

    def show(self, chassis_id: str, height_px: int = 720) -> Page:
        """The live page of a device, for the notebook to display."""
        tenant = self._do(self._runtime.tenant_of(chassis_id))
        return Page(f"{self.url}#/{tenant}/{chassis_id}", height_px)

    def stop(self) -> None:
        """Drain and end; again does nothing. Raises what ended the runtime, where it failed by itself."""
        with suppress(RuntimeError):  # its loop has ended already
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
