"""A subscription's messages, read and in order of `seq`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Protocol, TypeVar

from duco_rt.web.live.ordering import Ordering


class HasSeq(Protocol):
    """A sample."""

    @property
    def seq(self) -> int | None:
        """Its position, where it has one."""
        ...

    @property
    def ts_ms(self) -> int:
        """Its time by the machine's clock."""
        ...


T = TypeVar("T", bound=HasSeq)


async def in_order(
    messages: AsyncIterator[bytes], read: Callable[[bytes], T | None], order: Ordering[T]
) -> AsyncGenerator[T, None]:
    """What `read` makes of each message (None: nothing), in the order of `order`; ends with the subscription."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            async with asyncio.timeout_at(order.due_s):
                message = await anext(messages)
        except TimeoutError:
            for item in order.give_up(loop.time()):
                yield item
            continue
        except StopAsyncIteration:
            return
        sample = read(message)
        if sample is not None:
            for item in order.add(sample.seq, sample, loop.time(), sample.ts_ms):
                yield item
