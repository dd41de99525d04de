"""Direct methods to devices, as MetaAPI does them: checked, sent once per commandId, answered in the device's words."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from duco_rt.errors import BadRequest, NotFound
from duco_rt.metrics import Metrics
from duco_rt.model import MethodResult
from duco_rt.transports.base import HubCloud
from duco_rt.transports.base_data import Meta

_REMEMBERED = 10_000


class Methods:
    """Calls through one hub, one at a time for a device.

    The last 10,000 answered commandIds are remembered: a repeated one is not sent again. A call that failed is not
    remembered: nothing is known to have acted, so the same id may try again.
    """

    def __init__(self, hub_name: str, hub: HubCloud, meta: Meta, timeout_s: float, metrics: Metrics) -> None:
        self._hub_name = hub_name
        self._hub = hub
        self._meta = meta
        self._timeout_s = timeout_s
        self._metrics = metrics
        self._answers: OrderedDict[tuple[str, str], MethodResult] = OrderedDict()
        self._busy: dict[str, asyncio.Lock] = {}

    async def call(self, hub: str, chassis_id: str, method: str, payload: dict[str, object]) -> MethodResult:
        """Raises NotFound, BadRequest, DeviceOffline, DeviceTimeout."""
        if hub != self._hub_name:
            raise NotFound(f"hub {hub!r} is not known")
        command_id = check_command(method, payload)
        await self._meta.device(chassis_id)
        async with self._busy.setdefault(chassis_id, asyncio.Lock()):
            earlier = self._answers.get((chassis_id, command_id))
            if earlier is not None:
                return earlier
            answer = await self._send(chassis_id, method, payload)
            self._answers[chassis_id, command_id] = answer
            if len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
            return answer

    async def _send(self, chassis_id: str, method: str, payload: dict[str, object]) -> MethodResult:
        try:
            result = await self._hub.call(chassis_id, method, payload, self._timeout_s)
        except Exception as e:
            self._metrics.count("methods_total", result=type(e).__name__)
            raise
        self._metrics.count("methods_total", result=str(result.status))
        return result


def check_command(method: str, payload: dict[str, object]) -> str:
    """The commandId of a method call. Raises BadRequest naming what is wrong."""
    command_id = payload.get("commandId")
    if not isinstance(command_id, str) or not 1 <= len(command_id) <= 128:
        raise BadRequest("payload.commandId: a text of 1 to 128 characters is needed")
    if method == "setRealTimeUpload" and payload.get("action") not in ("start", "stop"):
        raise BadRequest(f"payload.action {payload.get('action')!r}: start or stop")
    viewer = payload.get("viewerId")
    if viewer is not None and not (isinstance(viewer, str) and 1 <= len(viewer) <= 128):
        raise BadRequest("payload.viewerId: a text of 1 to 128 characters")
    return command_id
