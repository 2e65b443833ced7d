"""Whose address a request has."""

from ipaddress import ip_network

import pytest

from events.addresses import client_address, is_allowed

PROXIES = [ip_network("10.0.0.0/8"), ip_network("127.0.0.1")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),  # not a proxy of ours: it may write what it likes
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),  # the first was written by the client
        ("10.0.0.1", "203.0.113.9,198.51.100.1 , 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        (None, "198.51.100.1", "198.51.100.1"),  # a Unix socket
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "", "fe80::1"),
        ("10.0.0.1", "unknown", None),
        ("10.0.0.1", "198.51.100.1,", None),
        ("nonsense", "198.51.100.1", None),
    ],
)
def test_the_client_is_the_last_address_that_no_proxy_of_ours_has(
    peer: str | None, forwarded_for: str, expected: str | None
) -> None:
    found = client_address(peer, forwarded_for, PROXIES)
    assert (str(found) if found else None) == expected


def test_an_address_must_be_in_one_of_the_networks() -> None:
    networks = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]
    assert is_allowed(client_address("192.0.2.7", "", ()), networks)
    assert is_allowed(client_address("::ffff:192.0.2.7", "", ()), networks)
    assert is_allowed(client_address("2001:db8:1::1", "", ()), networks)
    assert not is_allowed(client_address("198.51.100.1", "", ()), networks)
    assert not is_allowed(None, networks)
    assert is_allowed(None, [])
