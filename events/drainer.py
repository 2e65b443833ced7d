"""Brings the spool's flushes into the database when it is back, beside the writer and slower than it."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Final

import msgspec
import psycopg
import structlog
import uuid_utils.compat
from backports import zstd

from events.breaker import Breaker
from events.failpoints import failpoint
from events.flushes import Flush, Outcome
from events.packed import register_packed_arrays
from events.spool import Entry, Spool, adopt_orphans
from events.spooled import decode_flush
from events.storage import Connection, Store, store_flush
from events.tail import TailSampler

# New flushes go first: at least as long a rest as an entry took, and never faster than this.
EVENTS_PER_SECOND: Final = 10_000
LOOK_SECONDS: Final = 0.05
RETRY_SECONDS: Final = 1.0
ORPHAN_SECONDS: Final = 5.0
FAILED_SECONDS: Final = 30.0
# What time may mend. A missing table or a column of another type is answered at once instead.
PASSING: Final = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)

log = structlog.get_logger(__name__)


class Drainer:
    """A thread with its own connection: tries an open breaker, then stores entry after entry, oldest first.

    An entry is a flush under its own id, so storing it twice is harmless: it is removed only after COMMIT.
    """

    def __init__(
        self,
        *,
        using: str,
        spool: Spool,
        breaker: Breaker,
        connect: Callable[[str], Connection],
        told: Callable[[Flush, Outcome], None],
    ) -> None:
        self._using = using
        self._spool = spool
        self._breaker = breaker
        self._connect = connect
        self._told = told
        self._connection: Connection | None = None
        # Another process id than the writer's: two transactions would wait for one row of ingest_count.
        self._store = Store(process=uuid_utils.compat.uuid7(), tail=TailSampler())
        self._orphans = self._adopted()
        self._next_look = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"drainer-{using}", daemon=True)
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Stop after the entry that is under way. What is left waits for the next process."""
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        rest = 0.0
        while not self._stopping.wait(rest):
            try:
                rest = self._step()
            except Exception:  # the thread's boundary: a defect must not leave the spool alone for good
                log.exception("drain_failed")
                rest = ORPHAN_SECONDS
        self._orphans.close()
        if self._connection is not None:
            self._connection.close()

    def _step(self) -> float:
        """One trial, or one entry; returns how long to rest."""
        trial = self._breaker.begin_trial()
        if not trial and self._breaker.state != "closed":
            return LOOK_SECONDS
        spool = self._spool if trial or self._spool.entries else next(self._orphans)
        try:
            rest = self._drain_one(spool) if spool else LOOK_SECONDS
        except PASSING as error:
            self._let_go_of_connection()
            if trial:
                self._breaker.failed()
            else:
                log.warning("drain_retried", sqlstate=error.sqlstate, error=str(error).strip())
            return LOOK_SECONDS if trial else RETRY_SECONDS
        except BaseException:
            if trial:
                self._breaker.failed()
            raise
        if trial:
            self._breaker.succeeded()
            log.info("database_back")
        return rest

    def _drain_one(self, spool: Spool) -> float:
        began = time.monotonic()
        entry = spool.oldest()
        if entry is None:
            self._ensure_connected().execute("SELECT 1")
            return LOOK_SECONDS
        if not self._stored(spool, entry):
            return FAILED_SECONDS if entry.failures else LOOK_SECONDS
        failpoint("drain.after_commit")
        spool.remove(entry)
        return max(time.monotonic() - began, entry.events / EVENTS_PER_SECOND)

    def _stored(self, spool: Spool, entry: Entry) -> bool:
        """False when it cannot be: it goes behind the others, and is never dropped. Raises PASSING."""
        try:
            flush = decode_flush(entry.id, entry.payload)
            outcome = store_flush(self._ensure_connected(), flush, self._store)
        except PASSING:
            raise
        except (psycopg.Error, msgspec.DecodeError, zstd.ZstdError) as error:
            log.exception(
                "spool_entry_not_stored", flush=str(entry.id), events=entry.events, error=str(error)
            )
            self._let_go_of_connection()
            spool.put_back(entry)
            return False
        self._told(flush, outcome)
        return True

    def _ensure_connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect(self._using)
            register_packed_arrays(self._connection)
        return self._connection

    def _let_go_of_connection(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _adopted(self) -> Generator[Spool | None]:
        """Endless: a dead process's spool until it is empty, None when there is none just now."""
        while True:
            if time.monotonic() < self._next_look:
                yield None
                continue
            self._next_look = time.monotonic() + ORPHAN_SECONDS
            try:
                yield from self._drained_orphans()
            except (OSError, sqlite3.Error):
                log.exception("spool_not_adopted", folder=str(self._spool.folder))
                yield None

    def _drained_orphans(self) -> Iterator[Spool]:
        """Each for as many turns as it has entries: one that cannot be stored holds up no other spool."""
        for orphan in adopt_orphans(self._spool.folder, self._spool.name):
            try:
                for _ in range(orphan.entries):
                    yield orphan
            finally:
                orphan.close(discard=orphan.entries == 0)
