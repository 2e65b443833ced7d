"""The events of the benchmarks: about what an online shop's services send, 230 bytes each as JSON."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import uuid_utils

NOUNS = ("order", "cart", "payment", "page")
TYPES = tuple(f"shop.{noun}.{verb}" for noun in NOUNS for verb in ("made", "seen"))
SOURCES = tuple(f"web-{number}" for number in range(6))


@dataclass(frozen=True)
class EventPlan:
    """`spacing_us`: how far apart the events' own times are."""

    with_ids: bool
    seed: int = 1
    spacing_us: int = 40


def events(plan: EventPlan, start: datetime | None = None) -> Iterator[dict[str, object]]:
    """Endless, alike for a seed but for ids and times."""
    random_ = random.Random(plan.seed)
    at = start or datetime.now(UTC)
    step = timedelta(microseconds=plan.spacing_us)
    while True:
        at += step
        user = random_.randrange(5000)
        event: dict[str, object] = {
            "type": TYPES[random_.randrange(len(TYPES))],
            "source": SOURCES[user % len(SOURCES)],
            "subject": f"user-{user}",
            "time": at.isoformat(),
            "value": random_.randrange(100_000) / 100,
            "data": {
                "region": "eu-west",
                "items": random_.randrange(9),
                "campaign": f"c{random_.randrange(30)}",
                "trace": f"{random_.getrandbits(64):016x}",
            },
        }
        if plan.with_ids:
            event["id"] = str(uuid_utils.uuid7())
        yield event


def bodies(plan: EventPlan, *, requests: int, events_each: int) -> list[bytes]:
    """JSON arrays (a bare object when one event each), encoded ahead of the clock."""
    source = events(plan)
    encode = msgspec.json.Encoder().encode
    if events_each == 1:
        return [encode(next(source)) for _ in range(requests)]
    return [encode([next(source) for _ in range(events_each)]) for _ in range(requests)]
