"""How many connections there may be, in all and of one address."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from duco_rt.config import Web

HERE = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""This machine's own addresses: of programs on it, as the command line, and of a proxy on it."""

RESERVED = 16
"""So many places are for this machine alone, of 128 or more; of fewer, one in eight."""


class Places:
    """Counts by address; of IPv6 by the /64. This machine and `web.proxies`, who speak for many, have what there is."""

    def __init__(self, config: Web) -> None:
        self._most = config.connections_max
        self._most_of_others = config.connections_max - min(RESERVED, config.connections_max // 8)
        self._most_of_address = config.connections_address_max
        self._proxies = [ip_network(text, strict=False) for text in config.proxies]
        self._of: Counter[str] = Counter()
        self._count = 0

    def is_full_for(self, address: str) -> bool:
        """Whether an address has all the connections that it may have."""
        at = _read(address)
        if at is not None and (_is_here(at) or any(at in network for network in self._proxies)):
            return False
        return self._of[network_of(address)] >= self._most_of_address

    def is_full(self, address: str) -> bool:
        """Whether there is no place for one of this address, unless another one makes room."""
        at = _read(address)
        return self._count >= (self._most if at is not None and _is_here(at) else self._most_of_others)

    def take(self, address: str) -> None:
        """One more."""
        self._of[network_of(address)] += 1
        self._count += 1

    def give_back(self, address: str) -> None:
        """One less."""
        network = network_of(address)
        self._of[network] -= 1
        self._count -= 1
        if not self._of[network]:
            del self._of[network]


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the /64, which is given to one customer."""
    at = _read(address)
    if at is None:
        return address
    return at.exploded[:19] if isinstance(at, IPv6Address) else str(at)


def _read(address: str) -> IPv4Address | IPv6Address | None:
    try:
        at = ip_address(address)
    except ValueError:
        return None
    return (isinstance(at, IPv6Address) and at.ipv4_mapped) or at


def _is_here(at: IPv4Address | IPv6Address) -> bool:
    return any(at in network for network in HERE)
