"""Direct methods to devices, as MetaAPI does them: checked, sent once per commandId, answered in the device's words."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

import structlog
from msgspec.structs import replace

from duco_rt.clock import Clock, SystemClock
from duco_rt.errors import DeviceTimeout, DucoError, NotFound, TransportError
from duco_rt.model import UNDER_WAY, Command, CommandState, MethodResult
from duco_rt.seeing.metrics import Metrics, status_label
from duco_rt.transports.base import HubCloud
from duco_rt.transports.base_data import Meta
from duco_rt.web.ledger import SET_REALTIME, answered, check_answer, check_command, command_of, told, unanswered

T = TypeVar("T")
log = structlog.get_logger()

_REMEMBERED = 10_000
_FED_MS = 10_000
"""A watchdog that was fed less than so long ago is not fed again by a repeated start."""
_LOOK_S = 0.05
_GIVEN_UP = 3
"""Time-outs after which a command that is still under way is nobody's: its turn and its answer take two at most."""


class Methods:
    """Calls through one hub, one at a time for a device.

    setRealTimeUpload goes by the command ledger: a row is on disk before the command goes out, an id that the device
    acknowledged acts no more, one that failed or expired may try again. A start that comes again is a heartbeat: it
    goes to the device while that has acknowledged no stop since, and is answered with what the device said first.
    Of other methods the last 10,000 answered commandIds are remembered.
    """

    def __init__(
        self,
        hub_name: str,
        hub: HubCloud,
        meta: Meta,
        timeout_s: float,
        metrics: Metrics,
        clock: Clock | None = None,
    ) -> None:
        """`timeout_s`: at most for a call's turn, and as long for the device's answer."""
        self._hub_name = hub_name
        self._hub = hub
        self._meta = meta
        self._timeout_s = timeout_s
        self._metrics = metrics
        self._clock = clock or SystemClock()
        self._seconds = metrics.histogram("method_seconds")
        self._answers: OrderedDict[tuple[str, str], MethodResult] = OrderedDict()
        self._busy: dict[str, asyncio.Lock] = {}

    async def call(self, hub: str, chassis_id: str, method: str, payload: dict[str, object]) -> MethodResult:
        """Raises NotFound, BadRequest, DeviceOffline, DeviceTimeout, TransportError."""
        if hub != self._hub_name:
            raise NotFound(f"hub {hub!r} is not known")
        command_id = check_command(method, payload)
        await self._meta.device(chassis_id)
        busy = self._busy.setdefault(chassis_id, asyncio.Lock())
        if method == SET_REALTIME:
            return await self._command(chassis_id, payload, busy)
        async with busy:
            earlier = self._answers.get((chassis_id, command_id))
            if earlier is not None:
                return earlier
            answer = await self._send(chassis_id, method, payload)
            self._answers[chassis_id, command_id] = answer
            if len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
            return answer

    async def _command(self, chassis_id: str, payload: dict[str, object], busy: asyncio.Lock) -> MethodResult:
        """A command's way: its turn, the ledger, the device, the ledger."""
        waiting, earlier = None, None
        if busy.locked():
            command = command_of(chassis_id, payload, "queued", self._clock.wall_ms())
            earlier = await self._kept(self._meta.begin_command(command), command)
            waiting = command if earlier is None else None
        try:
            await self._turn(chassis_id, busy)
        except (DeviceTimeout, asyncio.CancelledError) as e:
            if waiting is not None:
                await self._end(
                    unanswered(waiting, _as_said(e, "the caller gave up waiting for its turn: not sent")), "queued"
                )
            raise
        try:
            if waiting is not None:
                sent = replace(waiting, state="sent", sent_ms=self._clock.wall_ms())
                if not await self._kept(self._meta.move_command(sent, "queued"), sent):
                    raise TransportError(f"command {sent.command_id!r} of {chassis_id} was lost while it waited")
                return await self._act(sent, payload)
            if earlier is None or earlier.state in UNDER_WAY:
                began = await self._begin(chassis_id, payload)
                if began.state == "sent":
                    return await self._act(began, payload)
                earlier = began
            return await self._again(earlier, payload)
        finally:
            busy.release()

    async def _turn(self, chassis_id: str, busy: asyncio.Lock) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await busy.acquire()
        except TimeoutError as e:
            words = f"device {chassis_id} was busy with others for {self._timeout_s:g} s: not sent"
            raise DeviceTimeout(words) from e

    async def _begin(self, chassis_id: str, payload: dict[str, object]) -> Command:
        """The row that is to be sent, or the settled one. Waits while another process is on the same id."""
        time_s = asyncio.get_running_loop().time
        until_s = time_s() + self._timeout_s
        while True:
            command = command_of(chassis_id, payload, "sent", self._clock.wall_ms())
            earlier = await self._kept(self._meta.begin_command(command), command)
            if earlier is None:
                return command
            if earlier.state not in UNDER_WAY:
                return earlier
            if await self._is_expired(earlier, command.queued_ms):
                continue
            if time_s() >= until_s:
                words = f"command {command.command_id!r} of device {chassis_id} is under way, its outcome not known"
                raise DeviceTimeout(words)
            await asyncio.sleep(_LOOK_S)

    async def _kept(self, writing: Awaitable[T], command: Command) -> T:
        """What the ledger says to a row; a caller who gives up meanwhile leaves no open row behind."""
        try:
            return await writing
        except asyncio.CancelledError as e:
            await self._end(unanswered(command, _as_said(e, "the caller gave up: not sent")), command.state)
            raise

    async def _is_expired(self, earlier: Command, now_ms: int) -> bool:
        """Whether nobody can be at work on it any more: how it ended could not be written."""
        if abs(now_ms - (earlier.sent_ms or earlier.queued_ms)) < _GIVEN_UP * self._timeout_s * 1000:
            return False
        words = "unknown outcome: nothing was heard of it"
        return await self._meta.move_command(replace(earlier, state="expired", error=words), earlier.state)

    async def _act(self, sent: Command, payload: dict[str, object]) -> MethodResult:
        try:
            result = await self._send(sent.chassis_id, SET_REALTIME, payload)
        except (Exception, asyncio.CancelledError) as e:
            await self._end(
                unanswered(sent, _as_said(e, "unknown outcome: the caller gave up before the device's answer came")),
                "sent",
            )
            raise
        await self._end(answered(sent, result, self._clock.wall_ms()), "sent")
        return result

    async def _end(self, command: Command, was: CommandState) -> None:
        """Write how it ended. Where that cannot be, the caller is told what is known all the same."""
        try:
            if await self._meta.move_command(command, was):
                self._metrics.count("commands_total", state=command.state)
        except DucoError as e:
            self._metrics.count("ledger_lost_total")
            log.error("command ledger not written", command_id=command.command_id, state=command.state, error=str(e))

    async def _again(self, earlier: Command, payload: dict[str, object]) -> MethodResult:
        """An id that acted: a start feeds the watchdog where no stop came since, and tells where that fails."""
        assert earlier.answer is not None
        if earlier.action == "start" == payload["action"] and earlier.state == "acknowledged":
            fed_ms, now_ms = await self._meta.acknowledged_ms(earlier.chassis_id), self._clock.wall_ms()
            if fed_ms is not None and abs(now_ms - fed_ms) >= _FED_MS:
                result = await self._send(earlier.chassis_id, SET_REALTIME, payload)
                if result.status != 200:
                    return result
                with suppress(TransportError):
                    await self._meta.fed(earlier.chassis_id, self._clock.wall_ms())
        return earlier.answer

    async def _send(self, chassis_id: str, method: str, payload: dict[str, object]) -> MethodResult:
        begun_s = self._clock.steady_s()
        try:
            result = await self._hub.call(chassis_id, method, told(payload), self._timeout_s)
            check_answer(chassis_id, result)
        except Exception as e:
            self._metrics.count("methods_total", result=type(e).__name__)
            raise
        finally:
            self._seconds.observe(self._clock.steady_s() - begun_s)
        self._metrics.count("methods_total", result=status_label(result.status))
        return result


def _as_said(error: BaseException, given_up: str) -> BaseException:
    """An error as the ledger has it; a cancellation has no words of its own."""
    return DeviceTimeout(given_up) if isinstance(error, asyncio.CancelledError) else error
