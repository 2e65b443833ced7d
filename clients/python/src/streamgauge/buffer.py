"""Events on disk while the server is away: a SQLite file that outlives the program."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from streamgauge.batching import BatchSize, fitting
from streamgauge.errors import BufferFull, BufferUnusable
from streamgauge.events import Prepared
from streamgauge.locks import FileLock

Result = TypeVar("Result")
BUSY_SECONDS = 10.0
ROW_BYTES = 64  # what SQLite and its index keep beside a body
SCHEMA = """
CREATE TABLE IF NOT EXISTS waiting (place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS held (
    one INTEGER PRIMARY KEY CHECK (one = 1), events INTEGER NOT NULL, bytes INTEGER NOT NULL
);
INSERT OR IGNORE INTO held VALUES (1, 0, 0);
"""


@dataclass(frozen=True)
class Row:
    """One event on disk and its place in the order."""

    place: int
    prepared: Prepared


class DiskBuffer:
    """Bounded, shared by any number of processes: all may append, the one that holds the lock sends.

    A path belongs to one server and one project: what lies in it is sent with the key of whoever drains it.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, max_bytes: int = 256 * 1024 * 1024, always: bool = False
    ) -> None:
        """`always`: every event goes to disk before `send` returns, so that a crash of the program loses none.

        Otherwise events go to disk only when the server did not take them.
        """
        self.path = Path(path).absolute()
        self.always = always
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._drain = FileLock(self.path.with_name(self.path.name + ".lock"))
        self._connection: sqlite3.Connection | None = self._open()

    def append(self, events: Sequence[Prepared]) -> None:
        """All of them or none; on disk when it returns. Raises BufferFull or BufferUnusable."""
        size = sum(_size(prepared) for prepared in events)

        def write(connection: sqlite3.Connection) -> None:
            (held,) = connection.execute("SELECT bytes FROM held").fetchone()
            if held + size > self._max_bytes:
                raise BufferFull(
                    f"{self.path} holds {held} bytes, and {size} more would exceed its bound of"
                    f" {self._max_bytes}. Bring the server back, or give the buffer a larger max_bytes."
                )
            rows = [(prepared.id, prepared.body) for prepared in events]
            connection.executemany("INSERT INTO waiting (id, body) VALUES (?, ?)", rows)
            connection.execute("UPDATE held SET events = events + ?, bytes = bytes + ?", (len(events), size))

        self._transact(write)

    def oldest(self, most: BatchSize) -> list[Row]:
        """What goes into the next request."""

        def read(connection: sqlite3.Connection) -> list[Row]:
            found = connection.execute(
                "SELECT place, id, body FROM waiting ORDER BY place LIMIT ?", (most.events,)
            )
            return [Row(place, Prepared(identifier, body)) for place, identifier, body in found]

        rows = self._transact(read)
        return rows[: fitting((len(row.prepared.body) for row in rows), most)]

    def remove(self, rows: Sequence[Row]) -> None:
        """After their verdicts."""
        size = sum(_size(row.prepared) for row in rows)

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM waiting WHERE place = ?", [(row.place,) for row in rows])
            connection.execute("UPDATE held SET events = events - ?, bytes = bytes - ?", (len(rows), size))

        self._transact(write)

    def count(self) -> int:
        """Events that wait in it, of every process."""
        return self._transact(
            lambda connection: int(connection.execute("SELECT events FROM held").fetchone()[0])
        )

    def may_drain(self) -> bool:
        """Whether this one is the sender: it stays so until `close`, or the end of its process."""
        with self._explaining():
            return self._drain.acquire()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self._drain.release()

    def _open(self) -> sqlite3.Connection:
        with self._explaining():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # events are nobody else's to read
            connection = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {4 * 1024 * 1024}")
            connection.executescript(SCHEMA)
            return connection

    def _transact(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._lock, self._explaining():
            if self._connection is None:
                raise BufferUnusable(f"{self.path} is closed.")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return result

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise BufferUnusable(f"{self.path}: {error}") from error


def _size(prepared: Prepared) -> int:
    return len(prepared.body) + len(prepared.id) + ROW_BYTES
