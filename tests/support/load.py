"""A client under load that keeps a ledger: some events with ids, some without, some bad, some sent twice."""

import asyncio
import itertools
import json
import random
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import uuid_utils

from tests.support.http import Answer, Connection, connect, post_message
from tests.support.ledger import Entry, Ledger, content_hash
from tests.support.waiting import wait_for

TYPES = ("order.placed", "order.paid", "sensor.read", "page.viewed", "job.done")
SOURCES = ("north", "south", "")
REQUEST_SECONDS = 15.0


@dataclass
class Batch:
    """One request, built once: whatever happens it is sent again with the same bytes."""

    body: bytes
    entries: list[Entry]
    identified: bool


@dataclass(frozen=True)
class Mix:
    """What the load consists of; shares from 0 to 1. An event without a time gets another one on each retry."""

    senders: int = 4
    smallest: int = 1
    largest: int = 60
    without_ids: float = 0.2
    bad: float = 0.02
    repeated: float = 0.1
    without_time: float = 0.5
    pause_seconds: float = 0.004
    spread_seconds: float = 20.0


@dataclass
class Seen:
    """Counters that tests read while the load runs."""

    answers: dict[int, int] = field(default_factory=dict)
    lost: int = 0  # answers, not connections that never came about
    refused: int = 0
    accepted: int = 0
    duplicates: int = 0
    slowest_seconds: float = 0.0
    retry_after: list[str] = field(default_factory=list)


def build_batch(random_: random.Random, numbers: Iterator[int], prefix: str, mix: Mix) -> Batch:
    identified = random_.random() >= mix.without_ids
    entries: list[Entry] = []
    events: list[dict[str, Any]] = []
    for _ in range(random_.randint(mix.smallest, mix.largest)):
        event, entry = build_event(random_, f"{prefix}-{next(numbers)}", mix)
        if identified:
            event["id"] = str(uuid_utils.uuid7()) if random_.random() < 0.5 else f"id-{entry.ref}"
        events.append(event)
        entries.append(entry)
    return Batch(json.dumps(events).encode(), entries, identified)


def build_event(random_: random.Random, ref: str, mix: Mix) -> tuple[dict[str, Any], Entry]:
    number = random_.randrange(1000) / 2 if random_.random() < 0.8 else None
    at = datetime.now(UTC) - timedelta(seconds=random_.random() * mix.spread_seconds)
    note = uuid.UUID(int=random_.getrandbits(128)).hex
    event: dict[str, Any] = {
        "type": random_.choice(TYPES),
        "subject": f"s{random_.randrange(40)}",
        "data": {"ref": ref, "note": note},
    }
    if random_.random() >= mix.without_time:
        event["time"] = at.isoformat()
    if source := random_.choice(SOURCES):
        event["source"] = source
    if number is not None:
        event["value"] = number
    hash_ = content_hash(
        type=event["type"], source=source, subject=event["subject"], value=number, ref=ref, note=note
    )
    if random_.random() < mix.bad:
        event["value"] = "not a number"
    return event, Entry(ref, hash_)


class Load:
    """Senders in a thread of their own: `with Load(...) as load:` sends until `settle`, or the end."""

    def __init__(self, *, port: int, key: str, ledger: Ledger, seed: int, mix: Mix | None = None) -> None:
        self.ledger = ledger
        self.seen = Seen()
        self._port = port
        self._key = key
        self._seed = seed
        self._mix = mix or Mix()
        self._stopping = threading.Event()
        self._give_up = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._give_up.set()
        self._thread.join(timeout=REQUEST_SECONDS + 5)

    def wait_for_acknowledged(self, more: int, seconds: float = 60) -> None:
        """Until `more` events than now are acknowledged."""
        goal = self.ledger.acknowledged + more
        wait_for(lambda: self._check() and self.ledger.acknowledged >= goal, seconds=seconds,
                 what=f"{more} acknowledgements ({self.seen})")  # fmt: skip

    def settle(self, seconds: float = 60) -> None:
        """Send nothing new, retry what is unknown and has ids until it is answered."""
        self._stopping.set()
        self._thread.join(timeout=seconds)
        assert not self._thread.is_alive(), f"unknown events were not answered in {seconds:g} s: {self.seen}"
        self._check()

    def _check(self) -> bool:
        if self._failure is not None:
            raise self._failure
        return True

    def _run(self) -> None:
        try:
            asyncio.run(self._send_all())
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            self._failure = error

    async def _send_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for sender in range(self._mix.senders):
                group.create_task(self._send(sender))
        await asyncio.sleep(0.01)  # an aborted socket is closed by the loop's next turns

    async def _send(self, sender: int) -> None:
        random_ = random.Random(f"{self._seed}-{sender}")
        numbers = itertools.count()
        link = Link(self._port)
        done: list[Batch] = []
        while not self._stopping.is_set():
            if done and random_.random() < self._mix.repeated:
                batch = random_.choice(done)
            else:
                batch = build_batch(random_, numbers, f"{self._seed}-{sender}", self._mix)
                self.ledger.sent(batch.entries)
            if await self._deliver(batch, link, random_) and batch.identified:
                done = [*done[-20:], batch]
            await asyncio.sleep(self._mix.pause_seconds)
        link.close()

    async def _deliver(self, batch: Batch, link: "Link", random_: random.Random) -> bool:
        """True once the verdict is known. Without ids a lost answer is final: a retry could double."""
        message = post_message(batch.body, key=self._key)
        while not self._give_up.is_set():
            if not await link.reach():
                self.seen.refused += 1
                await asyncio.sleep(0.05)
                continue
            answer = await self._ask(message, link)
            if answer is not None and answer.status in (200, 202, 207, 422):
                self._hear(batch, answer)
                return True
            if answer is not None and answer.status not in (429, 503):
                raise AssertionError(f"answer {answer.status}: {answer.body[:500]!r}")
            if not batch.identified:
                return False
            await asyncio.sleep(random_.uniform(0.02, 0.3))
        return False

    async def _ask(self, message: bytes, link: "Link") -> Answer | None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                answer = await link.request(message)
        except (OSError, TimeoutError):
            self.seen.lost += 1
            link.close()
            return None
        self.seen.slowest_seconds = max(self.seen.slowest_seconds, loop.time() - began)
        self.seen.answers[answer.status] = self.seen.answers.get(answer.status, 0) + 1
        if answer.status in (429, 503):
            self.seen.retry_after.append(answer.headers.get("retry-after", ""))
        return answer

    def _hear(self, batch: Batch, answer: Answer) -> None:
        verdict = json.loads(answer.body)
        if answer.status == 422:
            refused = frozenset(range(len(batch.entries)))
        else:
            refused = frozenset(error["index"] for error in verdict["errors"])
            duplicates = verdict["duplicates"] or 0  # null: spooled, so not known yet
            counted = verdict["accepted"] + duplicates + verdict["rejected"]
            assert counted == len(batch.entries), verdict
            self.seen.accepted += verdict["accepted"]
            self.seen.duplicates += duplicates
        self.ledger.heard(batch.entries, refused)


class Link:
    """A connection that is made again when it was lost."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: Connection | None = None

    async def reach(self) -> bool:
        """Whether there is a connection: without one nothing was sent, and nothing is unknown."""
        if self._connection is None or not self._connection.usable:
            try:
                self._connection = await connect(self._port)
            except OSError:
                return False
        return True

    async def request(self, message: bytes) -> Answer:
        if self._connection is None:
            raise ConnectionResetError("not connected")
        return await self._connection.request(message)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
