"""What a door does about limits: let a key in, and tell it where it stands. For HTTP doors and sockets alike."""

import asyncio
import concurrent.futures
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

from django.conf import settings

from accounts.identity import KeyIdentity
from events.addresses import client_address, is_allowed
from events.answers import Answer, error_answer
from events.decoding import Event
from events.drops import count_refused_request
from events.errors import IngestError, InvalidEvent, RequestRefused
from events.limiter import Standing, limiter
from events.policies import Screen

# How long a key's first request after a pause may wait for what other processes took.
PATIENCE_SECONDS: Final = 0.05


async def admit(identity: KeyIdentity, *, peer: str | None, forwarded_for: str) -> None:
    """Let a limited key in, on an event loop: check its address, and learn the state of its limits if it is not known.

    Raises RequestRefused (403).
    """
    check_address(identity, peer=peer, forwarded_for=forwarded_for)
    if pending := limiter.pending(identity):
        await asyncio.wait(map(asyncio.wrap_future, pending), timeout=PATIENCE_SECONDS)


def admit_in_thread(identity: KeyIdentity, *, peer: str | None, forwarded_for: str) -> None:
    """As `admit`, where waiting is allowed."""
    check_address(identity, peer=peer, forwarded_for=forwarded_for)
    if pending := limiter.pending(identity):
        concurrent.futures.wait(pending, timeout=PATIENCE_SECONDS)


def check_address(identity: KeyIdentity, *, peer: str | None, forwarded_for: str) -> None:
    """Raises RequestRefused when the key may not be used from there."""
    if identity.limits is None or not identity.limits.addresses:
        return
    address = client_address(peer, forwarded_for, settings.TRUSTED_PROXIES)
    if not is_allowed(address, identity.limits.addresses):
        raise RequestRefused(
            403,
            "address_not_allowed",
            f"This key may not be used from {address or 'an unknown address'}; an admin of the project can allow it.",
        )


def screens_of(identity: KeyIdentity) -> tuple[Screen, ...]:
    """What the key itself asks of each event, before anything that its project asks."""
    if identity.limits is None or not identity.limits.types:
        return ()
    return (_type_screen(identity.limits.types),)


@lru_cache(maxsize=100)
def _type_screen(patterns: tuple[str, ...]) -> Screen:
    @lru_cache(maxsize=1_000)
    def allowed(event_type: str) -> bool:
        return any(fnmatchcase(event_type, pattern) for pattern in patterns)

    def screen(event: Event) -> Event:
        if not allowed(event.type):
            raise InvalidEvent(
                "type_not_allowed",
                "/type",
                f"This key may not send this type; it may send {', '.join(patterns)}.",
            )
        return event

    return screen


def refusal_answer(error: IngestError, request_id: str, identity: KeyIdentity | None) -> Answer:
    """The answer to a request refused as a whole; counted as dropped when it is known whose it was."""
    answer = error_answer(error, request_id)
    if identity is None:
        return answer
    count_refused_request(identity, error)
    return with_limits(answer, identity)


def with_limits(answer: Answer, identity: KeyIdentity) -> Answer:
    """With the RateLimit fields of draft-ietf-httpapi-ratelimit-headers-10, where the key or its project has limits."""
    standings = limiter.standings(identity) if identity.limits is not None else []
    return replace(answer, headers=tuple(_fields(standings))) if standings else answer


def _fields(standings: list[Standing]) -> Iterable[tuple[str, str]]:
    yield (
        "RateLimit-Policy",
        ", ".join(f'"{each.name}";q={each.quota};qu="events";w={each.window}' for each in standings),
    )
    yield "RateLimit", ", ".join(f'"{each.name}";r={each.remaining};t={each.reset}' for each in standings)


def forwarded_for(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """X-Forwarded-For of an ASGI scope, all its lines in order."""
    return b",".join(value for name, value in headers if name == b"x-forwarded-for").decode("latin-1")


def peer_of(scope: Any) -> str | None:
    """The address that an ASGI server gives of who connected."""
    client = scope.get("client")
    return client[0] if client else None
