"""The sweep over rows: it does all that hints do, and proves that none of them is needed."""

import threading
import time
from datetime import timedelta
from typing import Final

import psycopg
import structlog

from events.partitions import PARTITIONS
from processing import closing_storage, storage
from processing.closing import close_windows
from processing.connections import close_worker_connections, worker_connection
from processing.draining import Drained, drain_partitions
from processing.idleness import advance_idle_partitions

# A segment this old got no hint, or its worker died.
STALE: Final = timedelta(seconds=1)
SWEEP_SECONDS: Final = 2.0
CLOSE_CALLS: Final = 50

log = structlog.get_logger(__name__)
_worked_at = 0.0


def sweep(*, using: str = "default") -> Drained:
    """Drain what is old, move idle watermarks, and close every window that is due."""
    connection = worker_connection(using)
    stale = storage.waiting(connection, partitions=range(PARTITIONS), older_than=STALE)
    drained = drain_partitions(partitions=stale, using=using) if stale else Drained()
    advance_idle_partitions(using=using)
    close_due(using=using)
    return drained


def close_due(*, using: str = "default") -> None:
    """Close the windows of every version that has some due."""
    for version_id in closing_storage.due_versions(worker_connection(using)):
        for _ in range(CLOSE_CALLS):
            if not close_windows(version_id=version_id, using=using).more:
                break


def note_work() -> None:
    """A task arrived: this process is reached by its broker."""
    global _worked_at
    _worked_at = time.monotonic()


class Sweeper(threading.Thread):
    """Sweeps from inside a worker process while no task arrives: with the broker frozen or gone, work goes on."""

    def __init__(self, *, using: str = "default", seconds: float = SWEEP_SECONDS) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._using = using
        self._seconds = seconds
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(self._seconds):
            if time.monotonic() - _worked_at >= self._seconds:
                self._sweep()
        close_worker_connections()

    def end(self) -> None:
        """Finish the sweep under way, and sweep no more."""
        self._ended.set()
        self.join()

    def _sweep(self) -> None:
        try:
            sweep(using=self._using)
        except psycopg.Error as error:
            log.warning("sweep_failed", error=str(error))
        except Exception:
            log.exception("sweep_failed")
