"""The spool: flushes that wait on this machine's disk while the database is away.

A folder of SQLite files, one for each process that may spool at once (a slot). Whoever holds a slot's lock owns its
file; the kernel drops the lock with the process, and another one takes the file over.
"""

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

import structlog

from events.errors import IngestError

MAX_BYTES: Final = 1024 * 1024 * 1024
MAX_ENTRIES: Final = 200_000
SLOTS: Final = 64
# synchronous=FULL: in WAL mode each COMMIT is on disk when it returns (SQLite documentation, "PRAGMA synchronous").
_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS entry (
    place      INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB    NOT NULL UNIQUE,
    spooled_at REAL    NOT NULL,
    events     INTEGER NOT NULL,
    failures   INTEGER NOT NULL DEFAULT 0,
    payload    BLOB    NOT NULL
);
"""

log = structlog.get_logger(__name__)


class SpoolFull(IngestError):
    """The spool's bound or the disk is reached: nothing was kept."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One flush of the spool. `events` is how many it holds; `failures` how often the database refused to store it."""

    place: int
    id: UUID
    events: int
    failures: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a spool holds. `since` is when its oldest entry was spooled, in seconds since 1970; `failed` entries
    were tried and could not be stored for another reason than that the database was away."""

    entries: int
    events: int
    bytes: int
    since: float | None
    failed: int


class Spool:
    """One slot's file. Safe from any thread; each `append` is on disk when it returns."""

    def __init__(
        self,
        folder: Path,
        name: str,
        slot: str,
        lock: BinaryIO,
        *,
        max_bytes: int = MAX_BYTES,
        max_entries: int = MAX_ENTRIES,
    ) -> None:
        self.folder = folder
        self.name = name
        self._lock_file = lock
        self._path = folder / f"{slot}.sqlite3"
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._refused_until = 0.0
        self._file = _open(self._path)
        self._count: int
        self._bytes: int
        self._count, self._bytes = self._file.execute(
            "SELECT count(*), coalesce(sum(length(payload)), 0) FROM entry"
        ).fetchone()

    @property
    def full(self) -> bool:
        """Whether the last entry did not fit, a moment ago."""
        return time.monotonic() < self._refused_until

    @property
    def entries(self) -> int:
        return self._count

    def append(self, flush_id: UUID, events: int, payload: bytes) -> None:
        """Keep an entry; the same id again changes nothing. Raises SpoolFull."""
        with self._lock:
            if self._count >= self._max_entries or self._bytes + len(payload) > self._max_bytes:
                self._refuse()
                raise SpoolFull(f"The spool holds {self._count} entries of {self._bytes} bytes.")
            try:
                cursor = self._file.execute(
                    "INSERT INTO entry (id, spooled_at, events, payload) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (flush_id.bytes, time.time(), events, payload),
                )
            except sqlite3.OperationalError as error:
                self._refuse()
                raise SpoolFull(f"The spool's disk takes no more: {error}.") from error
            self._count += cursor.rowcount
            self._bytes += len(payload) * cursor.rowcount

    def _refuse(self) -> None:
        self._refused_until = time.monotonic() + 1.0

    def oldest(self) -> Entry | None:
        """The entry to store next: those that failed come after all others."""
        with self._lock:
            row = self._file.execute(
                "SELECT place, id, events, failures, payload FROM entry ORDER BY failures, place LIMIT 1"
            ).fetchone()
        return Entry(row[0], UUID(bytes=row[1]), *row[2:]) if row else None

    def remove(self, entry: Entry) -> None:
        """Its events are in the database."""
        with self._lock:
            gone = self._file.execute("DELETE FROM entry WHERE place = ?", (entry.place,)).rowcount
            self._count -= gone
            self._bytes -= len(entry.payload) * gone
            if self._count == 0:
                self._shrink()

    def put_back(self, entry: Entry) -> None:
        """It could not be stored, and may hold up no other."""
        with self._lock:
            self._file.execute("UPDATE entry SET failures = failures + 1 WHERE place = ?", (entry.place,))

    def waiting(self) -> Waiting:
        with self._lock:
            return _waiting(self._file)

    def close(self, *, discard: bool = False) -> None:
        """Let go of the slot, so that another process may take it; with `discard`, without its file."""
        with self._lock:
            self._file.close()
            for suffix in ("", "-wal", "-shm") if discard else ():
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._lock_file.close()

    def _shrink(self) -> None:
        """Give back the disk after an outage. A failure costs room only."""
        with contextlib.suppress(sqlite3.OperationalError):
            self._file.executescript("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")


def open_own(folder: Path, name: str, *, max_bytes: int = MAX_BYTES, max_entries: int = MAX_ENTRIES) -> Spool:
    """The first slot that no process holds, with what a dead one left in it. Raises OSError or sqlite3.Error.

    `name` says which database the events are for: what waits for one never goes to another.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(SLOTS):
        slot = f"{name}-{number}"
        lock = _take(folder, slot)
        if lock is not None:
            return Spool(folder, name, slot, lock, max_bytes=max_bytes, max_entries=max_entries)
    raise OSError(f"All {SLOTS} slots of the spool in {folder} are taken.")


def adopt_orphans(folder: Path, name: str) -> Iterator[Spool]:
    """The spools of dead processes for the same database, each held until the caller closes it."""
    for path in sorted(folder.glob("*.sqlite3")):
        if path.stem.rpartition("-")[0] != name:
            continue
        lock = _take(folder, path.stem)
        if lock is not None:
            if path.exists():
                yield Spool(folder, name, path.stem, lock)
            else:  # its last owner discarded it in between
                lock.close()


def all_waiting(folder: Path) -> Waiting:
    """What all processes of this machine have spooled; files that cannot be read just now are left out."""
    found: list[Waiting] = []
    for path in sorted(folder.glob("*.sqlite3")):
        with contextlib.suppress(sqlite3.Error):
            file = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.5)
            with contextlib.closing(file):
                found.append(_waiting(file))
    return Waiting(
        sum(each.entries for each in found),
        sum(each.events for each in found),
        sum(each.bytes for each in found),
        min((each.since for each in found if each.since is not None), default=None),
        sum(each.failed for each in found),
    )


def _waiting(file: sqlite3.Connection) -> Waiting:
    row = file.execute(
        "SELECT count(*), coalesce(sum(events), 0), coalesce(sum(length(payload)), 0), min(spooled_at),"
        " count(*) FILTER (WHERE failures > 0) FROM entry"
    ).fetchone()
    return Waiting(*row)


def _take(folder: Path, slot: str) -> BinaryIO | None:
    """The slot's lock, on a file beside SQLite's own, whose locks closing another descriptor would drop."""
    file = os.fdopen(os.open(folder / f"{slot}.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _open(path: Path) -> sqlite3.Connection:
    """A damaged file is set aside, not deleted: what can be saved of it is a person's decision."""
    path.touch(mode=0o600)
    try:
        return _connect(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
        log.exception("spool_damaged", path=str(path), aside=str(aside))
        path.rename(aside)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
    file.executescript(_SCHEMA)
    return file
