"""From which address a request comes, when proxies stand before us. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from accounts.allowances import Network

Address = IPv4Address | IPv6Address
# A server behind a Unix socket is told of no peer: only this machine can be at the other end.
_LOCAL: Final = IPv4Address("127.0.0.1")


def client_address(peer: str | None, forwarded_for: str, trusted: Sequence[Network]) -> Address | None:
    """The last address that no trusted proxy stands for; None when it cannot be told.

    `peer` is who connected. `forwarded_for` is X-Forwarded-For, to which each proxy appends whom it heard from: it
    is read from the right and only as far as trusted proxies wrote it, for a client may write what it likes.
    """
    address = _parse(peer) if peer else _LOCAL
    hops = [hop.strip() for hop in forwarded_for.split(",")] if forwarded_for else []
    while address is not None and hops and _within(address, trusted):
        address = _parse(hops.pop())
    return address


def is_allowed(address: Address | None, networks: Sequence[Network]) -> bool:
    """Whether no networks are given or the address is in one of them."""
    return not networks or (address is not None and _within(address, networks))


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _parse(text: str) -> Address | None:
    """Without a port, and IPv4 out of IPv6's clothes: ::ffff:192.0.2.1 is 192.0.2.1."""
    text = text.partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
