"""Ends what stays open of who is not let in any more: a token that was taken back, a sign-in that is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from duco_rt.errors import DucoError
from duco_rt.rights import Identity

IsGood = Callable[[Identity], Awaitable[bool]]
End = Callable[[], None]

_AT_ONCE = 32
_KINDS = frozenset({"token", "session", "jwt"})
"""Those that can end; the others are the process's own."""


async def always(_: Identity) -> bool:
    """Without authentication."""
    return True


class Watch:
    """Asks every `period_s` for each identity, however many connections it has."""

    def __init__(self, is_good: IsGood, period_s: float) -> None:
        self._is_good = is_good
        self._period_s = period_s
        self._open: dict[_Key, tuple[Identity, dict[object, End]]] = {}

    def __len__(self) -> int:
        """Identities that are watched."""
        return len(self._open)

    @contextmanager
    def over(self, identity: Identity | None, end: End) -> Iterator[None]:
        """Call `end` once where the identity is not good any more, as long as the block."""
        if identity is None or identity.kind not in _KINDS:
            yield
            return
        key, mark = _key(identity), object()
        self._open.setdefault(key, (identity, {}))[1][mark] = end
        try:
            yield
        finally:
            ends = self._open[key][1]
            del ends[mark]
            if not ends:
                del self._open[key]

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await asyncio.sleep(self._period_s)
            await self.look()

    async def look(self) -> None:
        """Ask once about all."""
        at_once = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*(self._ask(key, identity, at_once) for key, (identity, _) in self._open.items()))

    async def _ask(self, key: _Key, identity: Identity, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            if key not in self._open:
                return
            try:
                if await self._is_good(identity):
                    return
            except DucoError:
                return  # it cannot be told now
        for end in list(self._open.get(key, (identity, {}))[1].values()):
            end()


_Key = tuple[str, str, str, int | None]


def _key(identity: Identity) -> _Key:
    return identity.kind, identity.credential, identity.name, identity.expires_ms
