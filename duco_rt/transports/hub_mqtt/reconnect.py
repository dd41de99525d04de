"""The loop that every MQTT connection carried by a `run` has: connect again, after a pause with jitter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from duco_rt.clock import Clock
from duco_rt.errors import TransportError
from duco_rt.pipeline.runner import backoff_s
from duco_rt.seeing.metrics import Metrics

log = structlog.get_logger()

_BETWEEN_TRIES_MOST_S = 2.0
_STEADY_S = 20.0
"""A connection that held so long was a good one: an attempt at one that is never answered takes up to 15 s."""


async def stay_connected(serve: Callable[[], Awaitable[None]], part: str, metrics: Metrics, clock: Clock) -> None:
    """Do `serve`, one connection, again and again; where it ends with TransportError, counted, after a pause."""
    attempt = 0
    while True:
        begun_s = clock.steady_s()
        try:
            await serve()
            attempt = 0
        except TransportError as e:
            if clock.steady_s() - begun_s > _STEADY_S:
                attempt = 0
            metrics.count("hub_connections_lost_total", part=part)
            if attempt in (0, 5) or attempt % 60 == 59:
                log.warning("hub connection lost, connecting again", part=part, attempt=attempt + 1, error=str(e))
            await asyncio.sleep(backoff_s(attempt, most_s=_BETWEEN_TRIES_MOST_S))
            attempt += 1
