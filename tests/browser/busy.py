"""A project that has been busy for a quarter of an hour, for pictures and for long lists."""

import math
import random
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.browser.acting import send
from tests.browser.conftest import Site
from tests.support.stack import Seeded

SHARES = {"flight.departed": 0.46, "flight.arrived": 0.38, "flight.delayed": 0.13, "flight.cancelled": 0.03}
MISTAKES: tuple[tuple[str, object], ...] = (("time", "tomorrow"), ("value", "late"), ("gate", "B22"))
CARRIERS = ("UA", "B6", "EV", "DL", "AA", "WN")


def fill_the_past(site: Site, project: Seeded, seconds: int = 900) -> None:
    """Rows of ingest_count as a flow of events would have left them."""
    dice, now, process = random.Random(2013), datetime.now(UTC).replace(microsecond=0), uuid4()
    rows = []
    for ago in range(seconds, 0, -1):
        flow = 320 + 90 * math.sin(ago / 95) + 35 * math.sin(ago / 17) + dice.gauss(0, 12)
        refused = 3 if 400 < ago < 430 else 0
        for name, share in SHARES.items():
            rows.append(
                (project.project_id, now - timedelta(seconds=ago), name, process, int(flow * share), refused)
            )
    with site.stack.database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ingest_count (project_id, second, type, process, accepted, rejected)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            rows,
        )


def flights(count: int, seed: int) -> list[dict[str, object]]:
    dice = random.Random(seed)
    return [
        {
            "type": dice.choices(list(SHARES), list(SHARES.values()))[0],
            "source": dice.choice(("JFK", "LGA", "EWR")),
            "subject": f"{dice.choice(CARRIERS)}{dice.randint(1, 2400)}",
            "value": dice.randint(-12, 95),
        }
        for _ in range(count)
    ]


def flow(site: Site, project: Seeded, seed: int) -> None:
    """One small batch; every tenth holds an event that is refused."""
    events = flights(80, seed)
    if seed % 10 == 0:
        events[0].update(dict([MISTAKES[seed // 10 % len(MISTAKES)]]))
    send(site, project, events)
