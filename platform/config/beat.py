"""Beat, run as often as you like: only the holder of one PostgreSQL lock sends tasks."""

from collections.abc import Mapping
from typing import Any, Final

import psycopg
import structlog
from django_celery_beat.schedulers import DatabaseScheduler
from kombu.exceptions import KombuError

from events.connections import conninfo
from processing.hints import FULL, unread

BEAT: Final = 7238002
# A frozen beat must not keep the lock: a live one asks far more often than this.
IDLE_SESSION: Final = "10s"
RETRY_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class BeatLock:
    """A session's advisory lock: it dies with the session, and the session with its process."""

    def __init__(self, *, using: str = "default") -> None:
        self._using = using
        self._session: psycopg.Connection[tuple[Any, ...]] | None = None
        self._held = False

    def hold(self) -> bool:
        """Whether this process has the lock now, having tried to get it. Never raises, never waits for another."""
        try:
            return self._ask()
        except psycopg.Error as error:
            if self._held:
                log.warning("beat_lock_lost", error=str(error))
            self.release()
            return False

    def release(self) -> None:
        self._held = False
        if self._session is not None:
            self._session.close()
            self._session = None

    def _ask(self) -> bool:
        if self._session is None:
            self._session = psycopg.connect(conninfo(self._using), autocommit=True)
            self._session.execute(f"SET idle_session_timeout = '{IDLE_SESSION}'")
        if self._held:
            self._session.execute("SELECT")
            return True
        row = self._session.execute("SELECT pg_try_advisory_lock(%s)", [BEAT]).fetchone()
        self._held = bool(row and row[0])
        if self._held:
            log.info("beat_lock_held")
        return self._held


def _with_expiry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """django-celery-beat calls `expires` by another name, and ignores it silently by the usual one."""
    options = dict(entry.get("options", {}))
    if "expires" in options:
        options["expire_seconds"] = options.pop("expires")
    return {**entry, "options": options}


class LockedScheduler(DatabaseScheduler):  # type: ignore[misc]
    """django-celery-beat's scheduler, silent while another beat has the lock."""

    max_interval = RETRY_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._lock = BeatLock()
        super().__init__(*args, **{**kwargs, "max_interval": RETRY_SECONDS})

    def update_from_dict(self, mapping: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the settings' schedule over the rows of the same names."""
        super().update_from_dict({name: _with_expiry(entry) for name, entry in mapping.items()})

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, if this is the beat that sends. Returns the seconds to wait."""
        if not self._lock.hold():
            return RETRY_SECONDS
        return float(min(super().tick(*args, **kwargs), RETRY_SECONDS))

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send a task, unless nobody has read the last few hundred: without workers they would fill Redis."""
        try:
            full = unread(producer) >= FULL
        except (OSError, KombuError, *self.connection.recoverable_connection_errors) as error:
            log.warning("beat_broker_lost", error=str(error))
        else:
            if not full:
                super().apply_entry(entry, producer=producer)

    def close(self) -> None:
        super().close()
        self._lock.release()
