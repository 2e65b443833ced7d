"""One hub per topic and project in a process: reads rows on hints, numbers states, wakes sockets."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

import structlog
from django.db import Error as DatabaseError

from monitoring import threads
from monitoring.frames import encode
from monitoring.imports import read_imports
from monitoring.listener import Listener
from monitoring.overview import read_overview
from monitoring.payloads import Data, SnapshotReason, Topic
from monitoring.state import State, delta, snapshot

log = structlog.get_logger(__name__)

# A quarter of a second between reads however many hints come; two seconds without any (exactness.md, "Live").
SHORTEST_SECONDS = 0.25
LONGEST_SECONDS = 2.0
# A read that takes longer counts as no answer: the page says so, and the read is left to end by itself.
ANSWER_SECONDS = 3.0
# States kept for clients that come back with a `since`: about half a minute of a busy project.
REMEMBERED = 64

Read = Callable[[int], Data]
TOPICS: dict[Topic, Read] = {"overview": read_overview, "imports": read_imports}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a hub is about."""

    topic: Topic
    project_id: int
    project: str


class Hub:
    """The latest state of one subject. Runs while anybody listens; each run has its own epoch."""

    def __init__(self, subject: Subject, read: Read) -> None:
        self.subject = subject
        self.epoch = secrets.token_hex(8)
        self.state: State | None = None
        self.members: set[asyncio.Event] = set()
        self._read = read
        self._remembered: OrderedDict[int, State] = OrderedDict()
        self._encoded: dict[tuple[int, str], str] = {}
        self._hinted = asyncio.Event()
        self._reading: asyncio.Future[Data] | None = None
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"hub-{subject.project}")
        self._task.add_done_callback(self._ended)

    @property
    def failed(self) -> bool:
        return self._task.done()

    def hint(self) -> None:
        """Rows have probably changed."""
        self._hinted.set()

    def stop(self) -> None:
        self._task.cancel()

    def remembered(self, epoch: str, seq: int) -> tuple[State | None, SnapshotReason]:
        """The state a returning client holds, or None and why it needs a snapshot."""
        if epoch != self.epoch:
            return None, "epoch"
        return self._remembered.get(seq), "gap"

    def frame(self, held: State | None, reason: SnapshotReason) -> str:
        """The encoded frame that brings a client from `held` to the latest state; made once for all that ask."""
        if self.state is None:
            raise ValueError("the hub has no state yet")
        continues = held is not None and held.data is not None and self.state.data is not None
        key = (held.seq, "delta") if held is not None and continues else (0, reason)
        if key not in self._encoded:
            made = delta(held, self.state) if held is not None and continues else snapshot(self.state, reason)
            self._encoded[key] = encode(made)
        return self._encoded[key]

    async def _run(self) -> None:
        while True:
            self._hinted.clear()
            self._publish(await self._rows())
            await asyncio.sleep(SHORTEST_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_SECONDS - SHORTEST_SECONDS):
                    await self._hinted.wait()

    async def _rows(self) -> Data | None:
        """The rows as they are; None when the database does not give them."""
        self._reading = self._reading or threads.start(self._read, self.subject.project_id)
        done, _ = await asyncio.wait({self._reading}, timeout=ANSWER_SECONDS)
        if not done:
            return None
        read, self._reading = self._reading, None
        try:
            return read.result()
        except DatabaseError as error:
            log.warning("live.read_failed", project=self.subject.project, error=str(error).strip())
            return None

    def _publish(self, data: Data | None) -> None:
        """Number what was read. Without an answer: the last data again, said to be stale."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        old, topic, project = self.state, self.subject.topic, self.subject.project
        seq = old.seq + 1 if old else 1
        if data is not None:
            self._become(State(topic, project, self.epoch, seq, now, None, data))
        elif old is None or old.stale_since is None:
            held, as_of = (old.data, old.as_of) if old else (None, None)
            self._become(State(topic, project, self.epoch, seq, as_of, as_of or now, held))

    def _become(self, state: State) -> None:
        self.state = state
        self._encoded.clear()
        self._remembered[state.seq] = state
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        self._wake()

    def _wake(self) -> None:
        for member in self.members:
            member.set()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A hub that broke says so: its sockets close and come back to a new one."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("live.hub_failed", project=self.subject.project, exc_info=error)
            self._wake()


class Hubs:
    """The hubs of one event loop, and the listener that hints them."""

    def __init__(self) -> None:
        self._hubs: dict[Subject, Hub] = {}
        self._listener: Listener | None = None

    def join(self, subject: Subject, member: asyncio.Event) -> Hub:
        """The subject's hub, started when nobody else listens to it; it sets `member` on each new state."""
        hub = self._hubs.get(subject)
        if hub is None or hub.failed:
            hub = self._hubs[subject] = Hub(subject, TOPICS[subject.topic])
        self._listener = self._listener or Listener(self.hint)
        hub.members.add(member)
        return hub

    def leave(self, hub: Hub, member: asyncio.Event) -> None:
        """Stop waking `member`; the last one to leave stops the hub, and the last hub the listener."""
        hub.members.discard(member)
        if hub.members:
            return
        hub.stop()
        if self._hubs.get(hub.subject) is hub:
            del self._hubs[hub.subject]
        if not self._hubs and self._listener is not None:
            self._listener.stop()
            self._listener = None

    def hint(self, project_ids: Iterable[int]) -> None:
        """Rows of these projects have probably changed."""
        wanted = frozenset(project_ids)
        for subject, hub in self._hubs.items():
            if subject.project_id in wanted:
                hub.hint()

    def __len__(self) -> int:
        return len(self._hubs)


_by_loop: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hubs]" = WeakKeyDictionary()


def hubs() -> Hubs:
    """The hubs of the running event loop."""
    return _by_loop.setdefault(asyncio.get_running_loop(), Hubs())
