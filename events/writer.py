"""Group commit: one thread per process and shard commits all that waits in one transaction, then answers."""

import asyncio
import atexit
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import psycopg
import stamina
import structlog
import uuid_utils.compat

from events.breaker import Breaker, State
from events.connections import connect_writer
from events.drainer import PASSING, Drainer
from events.drops import count_refused_by_database
from events.errors import IngestError, OutcomeUnknown, Overloaded
from events.flushes import Flush, Outcome, answers_of
from events.limits import FLUSH_BYTES, FLUSH_EVENTS, QUEUE_BYTES, QUEUE_EVENTS
from events.packed import register_packed_arrays
from events.signals import events_stored
from events.spool import Spool, SpoolFull
from events.spool_settings import configured_spool
from events.spooled import encode_flush, spooled_verdicts
from events.storage import Connection, Store, store_flush, write_latencies
from events.submissions import Submission, Verdicts
from events.tail import TailSampler
from telemetry.latency import LatencyHistogram

FLUSH_SECONDS: Final = 10.0  # how long a flush is retried before its requests are told that nobody knows
SPOOL_AFTER_SECONDS: Final = 1.0  # or, with a spool, before it goes there
LINGER_SECONDS: Final = 0.05  # while spooling: fewer, larger entries are stored sooner afterwards
IDLE_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 15.0
CLOSING_FLUSH_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)
Delivery = Callable[[], None]


class Writer:
    """Commits submissions of one shard in order. `submit` is safe from any thread.

    A request's events are in one transaction, requests commit in the order they were submitted, and what waits
    is bounded in events and bytes until it is answered.
    """

    def __init__(
        self,
        *,
        using: str = "default",
        connect: Callable[[str], Connection] = connect_writer,
        queue_events: int = QUEUE_EVENTS,
        queue_bytes: int = QUEUE_BYTES,
        flush_seconds: float = FLUSH_SECONDS,
        spool: Spool | None = None,
    ) -> None:
        self._using = using
        self._connect = connect
        self._queue_events = queue_events
        self._queue_bytes = queue_bytes
        self._flush_seconds = flush_seconds
        self._waiting: deque[Submission] = deque()
        self._events = 0
        self._bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._breaker = Breaker()
        self._spool = spool
        self._connection: Connection | None = None
        self._store = Store(process=uuid_utils.compat.uuid7(), tail=TailSampler())
        self._latencies = LatencyHistogram()
        self._handed_over = 0.0
        self._thread = threading.Thread(target=self._run, name=f"writer-{using}", daemon=True)
        self._drainer = (
            Drainer(using=using, spool=spool, breaker=self._breaker, connect=connect, told=self._tell)
            if spool is not None
            else None
        )
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """Whether the database answered the last time it was asked, less than a few seconds ago."""
        return not self._breaker.failing and self._connection is not None and self._thread.is_alive()

    @property
    def ready(self) -> bool:
        """Whether requests are worth sending here: they are committed, or at least kept."""
        return self.healthy or (self.spooling and self._thread.is_alive())

    @property
    def breaker_state(self) -> State:
        return self._breaker.state

    @property
    def spooling(self) -> bool:
        """Whether requests go to the spool, because the database is away, and there is room."""
        return self._spool is not None and not self._spool.full and self._breaker.state != "closed"

    @property
    def depth(self) -> tuple[int, int]:
        """(events, bytes) accepted and not yet answered."""
        return self._events, self._bytes

    def submit(self, submission: Submission) -> None:
        """Queue a request; its `deliver` is called once, from the writer's thread.

        Raises Overloaded when the queue is full or the database has been away; nothing was queued then.
        """
        count = len(submission.prepared)
        with self._changed:
            if self._closing:
                raise Overloaded("This process is shutting down; send it again.")
            if self._breaker.state != "closed" and not self.spooling:
                raise self._away()
            if self._bytes and (
                self._events + count > self._queue_events or self._bytes + submission.size > self._queue_bytes
            ):
                raise Overloaded("The ingest queue is full; send it again, or send less.")
            self._events += count
            self._bytes += submission.size
            self._waiting.append(submission)
            self._changed.notify()

    def _away(self) -> Overloaded:
        if self._spool is None:
            return Overloaded("The database is not answering; send it again.", retry_after=2)
        return Overloaded(
            "The database is not answering, and the spool is full; send it again.", retry_after=5
        )

    def close(self) -> None:
        """Refuse new requests, commit (or spool) and answer all that wait, and end the thread, within CLOSE_SECONDS."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._drainer:
            self._drainer.close(CLOSE_SECONDS / 3)
        self._thread.join(CLOSE_SECONDS)
        if self._spool and not self._thread.is_alive():
            self._spool.close()

    def _run(self) -> None:
        self._rest()
        while True:
            submissions = self._take()
            if submissions:
                self._settle(submissions)
            elif self._closing:
                break
            else:
                self._rest()
        if self._connection:
            self._connection.close()

    def _take(self) -> list[Submission]:
        """Whole requests for one flush; none after an idle second, or when closing."""
        with self._changed:
            if not self._waiting and not self._closing:
                self._changed.wait(IDLE_SECONDS)
            if self._waiting and self.spooling:
                self._changed.wait_for(lambda: self._closing, LINGER_SECONDS)
            taken: list[Submission] = []
            events = size = 0
            while self._waiting:
                first = self._waiting[0]
                events += len(first.prepared)
                size += first.size
                if taken and (events > FLUSH_EVENTS or size > FLUSH_BYTES):
                    break
                taken.append(self._waiting.popleft())
            return taken

    def _settle(self, submissions: list[Submission]) -> None:
        flush = Flush(submissions)
        answers: Sequence[Verdicts | IngestError]
        outcome: Outcome | None = None
        try:
            if self._spool and self._breaker.state != "closed":
                answers = self._set_aside(flush, otherwise=self._away())
            else:
                outcome = self._commit(flush)
                answers = answers_of(flush, outcome)
        except OutcomeUnknown as error:
            answers = self._set_aside(flush, otherwise=error)
        except Exception:  # the thread's boundary: a defect must not stop every later request
            log.exception("flush_failed", flush=str(flush.id), events=len(flush.events))
            answers = [OutcomeUnknown("The server failed; send it again.")] * len(submissions)
        self._answer(submissions, answers)
        if outcome:
            self._tell(flush, outcome)
            if outcome.refused:
                count_refused_by_database(flush, outcome)

    def _commit(self, flush: Flush) -> Outcome:
        """Retry the same flush, under the same id, until it is known to have committed or its time is up."""
        try:
            return self._attempt(flush)
        except PASSING as error:
            log.warning("flush_retried", flush=str(flush.id), sqlstate=error.sqlstate, error=str(error))
        try:
            for attempt in stamina.retry_context(
                on=PASSING, attempts=None, timeout=self._patience(), wait_initial=0.02, wait_max=0.5,
                wait_jitter=0.05,
            ):  # fmt: skip
                with attempt:
                    return self._attempt(flush)
        except psycopg.Error as error:
            log.exception("flush_gave_up", flush=str(flush.id), sqlstate=error.sqlstate)
            self._breaker.trip()
        raise OutcomeUnknown("The database did not answer in time; send it again with the same ids.")

    def _set_aside(self, flush: Flush, *, otherwise: IngestError) -> Sequence[Verdicts | IngestError]:
        """Spool the flush under its own id, so that it does not matter whether an attempt had committed."""
        # What a door writes beside its events cannot wait in a file: such a door comes again by itself.
        if self._spool is None or any(submission.companion for submission in flush.submissions):
            return [otherwise] * len(flush.submissions)
        try:
            self._spool.append(flush.id, len(flush.events), encode_flush(flush))
        except SpoolFull as error:
            log.warning("spool_full", flush=str(flush.id), error=str(error))
            return [otherwise] * len(flush.submissions)
        return [spooled_verdicts(submission) for submission in flush.submissions]

    def _patience(self) -> float:
        """Seconds to retry for: less when the spool can take it, or all that waits must get an answer in time."""
        if self._spool is not None:
            return min(self._flush_seconds, SPOOL_AFTER_SECONDS)
        return min(self._flush_seconds, CLOSING_FLUSH_SECONDS) if self._closing else self._flush_seconds

    def _attempt(self, flush: Flush) -> Outcome:
        try:
            outcome = store_flush(self._ensure_connected(), flush, self._store)
        except psycopg.Error:
            self._breaker.failed()
            self._drop_broken_connection()
            raise
        self._breaker.succeeded()
        return outcome

    def _ensure_connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect(self._using)
            register_packed_arrays(self._connection)
        return self._connection

    def _drop_broken_connection(self) -> None:
        """A lost or half-open transaction is not trusted: only a connection plainly idle is kept."""
        connection = self._connection
        if connection and (
            connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE
        ):
            with contextlib.suppress(psycopg.Error):
                connection.close()
            self._connection = None

    def _answer(self, submissions: list[Submission], answers: Sequence[Verdicts | IngestError]) -> None:
        now = time.monotonic()
        for submission, answer in zip(submissions, answers, strict=True):
            self._latencies.observe((now - submission.arrived) * 1000)
            self._deliver(submission, answer)
        with self._changed:
            self._events -= sum(len(submission.prepared) for submission in submissions)
            self._bytes -= sum(submission.size for submission in submissions)
        self._hand_over_latencies()

    def _deliver(self, submission: Submission, answer: Verdicts | IngestError) -> None:
        try:
            submission.deliver(answer)
        except Exception:  # a door's defect must not take the writer from all others
            log.exception("answer_not_delivered", request_id=submission.request_id)

    def _hand_over_latencies(self) -> None:
        """Once a second, give the histogram to the next flush to write."""
        if self._store.latencies is None and time.monotonic() - self._handed_over >= IDLE_SECONDS:
            self._handed_over = time.monotonic()
            self._store.latencies = self._latencies.take()

    def _tell(self, flush: Flush, outcome: Outcome) -> None:
        events_stored.send_robust(
            sender=Writer,
            project_ids=frozenset(submission.project_id for submission in flush.submissions),
            partitions=outcome.partitions,
            received_at=outcome.received_at,
            using=self._using,
        )

    def _rest(self) -> None:
        """Between requests: see that the database is there, and write the last latencies."""
        if self._breaker.state != "closed" and (self._drainer or not self._breaker.begin_trial()):
            return
        if self._latencies.observed:
            self._hand_over_latencies()
        try:
            connection = self._ensure_connected()
            if self._store.latencies:
                write_latencies(connection, self._store)
            else:
                connection.execute("SELECT 1")
            self._breaker.succeeded()
        except psycopg.Error as error:
            self._breaker.failed()
            self._drop_broken_connection()
            log.warning("database_away", sqlstate=error.sqlstate, error=str(error))


class _Writers:
    """The writers of this process, made on first use and made anew after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_alias: dict[str, Writer] = {}
        self._pid = os.getpid()

    def get(self, using: str) -> Writer:
        writer = self._by_alias.get(using)
        if writer is not None and self._pid == os.getpid():
            return writer
        with self._lock:
            if self._pid != os.getpid():
                self._by_alias, self._pid = {}, os.getpid()
            if using not in self._by_alias:
                if not self._by_alias:
                    atexit.register(self.close)  # a server without ASGI lifespan still answers what waits
                self._by_alias[using] = Writer(using=using, spool=configured_spool(using))
            return self._by_alias[using]

    def breaker_state(self, using: str) -> State:
        """Closed while this process has no writer: nothing was tried."""
        writer = self._by_alias.get(using)
        return writer.breaker_state if writer is not None else "closed"

    def close(self) -> None:
        with self._lock:
            writers, self._by_alias = list(self._by_alias.values()), {}
        for writer in writers:
            writer.close()


_writers = _Writers()
get_writer = _writers.get
close_writers = _writers.close
breaker_state = _writers.breaker_state


class LoopDelivery:
    """Delivers verdicts to futures of one event loop, one wake-up for as many as a flush answers."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._ready: list[tuple[asyncio.Future[Verdicts], Verdicts | IngestError]] = []

    def deliver_to(self, future: "asyncio.Future[Verdicts]") -> Callable[[Verdicts | IngestError], None]:
        def deliver(answer: Verdicts | IngestError) -> None:
            with self._lock:
                self._ready.append((future, answer))
                first = len(self._ready) == 1
            if first:
                with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                    self._loop.call_soon_threadsafe(self._resolve)

        return deliver

    def _resolve(self) -> None:
        with self._lock:
            ready, self._ready = self._ready, []
        for future, answer in ready:
            if future.done():
                continue
            if isinstance(answer, Verdicts):
                future.set_result(answer)
            else:
                future.set_exception(answer)
