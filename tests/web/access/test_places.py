"""Whose connections are counted, and how many there may be."""

from __future__ import annotations

import pytest

from duco_rt.config import Web
from duco_rt.web.access.places import Places, network_of


def test_an_address_has_its_number() -> None:
    """Of IPv6 its /64; this machine and our proxies, who speak for many, have what there is."""
    places = Places(Web(connections_max=100, connections_address_max=2, proxies=("10.0.0.0/24", "fd00::1")))
    for address in ("192.0.2.1", "2001:db8::1", "127.0.0.1", "::1", "10.0.0.9", "fd00::1", "::ffff:192.0.2.7"):
        for _ in range(2):
            assert not places.is_full_for(address)
            places.take(address)
    assert [each for each in ("192.0.2.1", "2001:db8::2", "192.0.2.7") if not places.is_full_for(each)] == []
    free = ("192.0.2.2", "2001:db8:0:1::1", "127.0.0.1", "::1", "10.0.0.9", "fd00::1")
    assert [each for each in free if places.is_full_for(each)] == []
    places.give_back("2001:db8::3")
    assert not places.is_full_for("2001:db8::1")


@pytest.mark.parametrize(("most", "of_others"), [(1, 1), (7, 7), (8, 7), (150, 134), (12_000, 11_984)])
def test_some_are_for_this_machine(most: int, of_others: int) -> None:
    """So that who runs it can look what is going on."""
    places = Places(Web(connections_max=most))
    for number in range(most):
        assert not places.is_full("127.0.0.1") and places.is_full("192.0.2.1") == (number >= of_others)
        places.take(f"10.{number // 250}.{number % 250}.1")
    assert places.is_full("127.0.0.1")
    for number in range(most):
        places.give_back(f"10.{number // 250}.{number % 250}.1")
    assert not places.is_full("192.0.2.1") and not places._of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002"),
        ("2001:db8:1:2::", "2001:0db8:0001:0002"),
        ("", ""),
        ("somewhere", "somewhere"),
    ],
)
def test_what_counts_as_one_address(address: str, network: str) -> None:
    """Of IPv6 who has one has 2^64."""
    assert network_of(address) == network
