"""What a key or a project may send, and from where: plain data, free of Django, and how its texts are read."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

Network = IPv4Network | IPv6Network

MAX_PATTERNS: Final = 100
# A bucket fills in ten seconds unless told otherwise: batches of a program that sends steadily fit into it.
BURST_SECONDS: Final = 10
_PATTERN: Final = re.compile(r"[A-Za-z0-9._:/*?-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Events a second, events at once and events a day (UTC); None is no limit."""

    rate: int | None = None
    burst: int | None = None
    daily: int | None = None

    @property
    def capacity(self) -> int:
        """Events at once. Only where there is a rate."""
        return self.burst or (self.rate or 0) * BURST_SECONDS


UNLIMITED: Final = Allowance()


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """All that limits a key: its own allowance and its project's, and what it may send from where.

    `types` are globs, `addresses` networks; empty is no limit.
    """

    key: Allowance = UNLIMITED
    project: Allowance = UNLIMITED
    types: tuple[str, ...] = ()
    addresses: tuple[Network, ...] = ()


def key_limits(columns: Sequence[Any]) -> KeyLimits | None:
    """From the last eight columns of SELECT_KEYS; None when nothing is limited, so that ingest need not look."""
    rate, burst, daily, types, addresses, project_rate, project_burst, project_daily = columns
    limits = KeyLimits(
        Allowance(rate, burst, daily),
        Allowance(project_rate, project_burst, project_daily),
        tuple(types),
        _networks(tuple(addresses)),
    )
    return None if limits == _NOTHING else limits


_NOTHING: Final = KeyLimits()


@lru_cache(maxsize=1_000)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


def ordered_types(patterns: Iterable[str]) -> list[str]:
    """Globs of event types without repeats. Raises ValueError for one that matches no type there can be."""
    given = _words(patterns)
    for pattern in given:
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(f"{pattern!r} is no glob of event types: use A-Z a-z 0-9 . _ : / - and * ?")
    return given


def ordered_addresses(networks: Iterable[str]) -> list[str]:
    """Addresses and networks as CIDR, without repeats. Raises ValueError for one that is neither."""
    return list(dict.fromkeys(_cidr(text) for text in _words(networks)))


def _words(texts: Iterable[str]) -> list[str]:
    words = list(dict.fromkeys(text.strip() for text in texts if text.strip()))
    if len(words) > MAX_PATTERNS:
        raise ValueError(f"These are {len(words)} entries; give at most {MAX_PATTERNS}.")
    return words


def _cidr(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is no address or network such as 192.0.2.0/24: {error}.") from None
