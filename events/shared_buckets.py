"""The buckets that all processes share, in Redis: asked by one thread, with little patience."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, cast

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

# Of the thread that asks. Requests wait for it less, and most not at all.
PATIENCE_SECONDS: Final = 0.25
PAUSE_SECONDS: Final = 1.0  # after a failure, before Redis is asked again
BATCH: Final = 500
_SCRIPT: Final = (Path(__file__).parent / "sql" / "settle_buckets.lua").read_text()

log = structlog.get_logger(__name__)


class SharedBuckets:
    """Tells Redis what was taken and learns what all have taken. Not for two threads at once.

    A Redis that does not answer in PATIENCE_SECONDS is left alone for PAUSE_SECONDS, and then greeted before it is
    told anything: a frozen one would carry out at its thaw all that it was told meanwhile. What it was told when it
    failed may have been lost: a limiter errs on the sender's side.
    """

    def __init__(self, *, url: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._settle = self._client.register_script(_SCRIPT)
        self._failed_at: float | None = None

    @property
    def failing(self) -> bool:
        """Whether Redis did not answer the last time it was asked."""
        return self._failed_at is not None

    def answers(self) -> bool:
        """Whether Redis may be told something: it did not fail, or long enough ago, and answers again."""
        if self._failed_at is None:
            return True
        if self._monotonic() - self._failed_at < PAUSE_SECONDS:
            return False
        try:
            self._client.ping()
        except (redis.RedisError, OSError) as error:
            self._fail(error)
            return False
        self._failed_at = None
        return True

    def settle(self, taken: Mapping[str, float]) -> dict[str, float]:
        """Seconds taken by bucket, to seconds until it is full; buckets that Redis did not answer for are missing."""
        ahead: dict[str, float] = {}
        names = list(taken)
        try:
            for start in range(0, len(names), BATCH):
                ahead.update(self._settle_batch(names[start : start + BATCH], taken))
        except (redis.RedisError, OSError) as error:
            self._fail(error)
        return ahead

    def _settle_batch(self, names: list[str], taken: Mapping[str, float]) -> dict[str, float]:
        microseconds = [round(taken[name] * 1e6) for name in names]
        answers = cast("list[int]", self._settle(keys=names, args=microseconds))
        return {name: answer / 1e6 for name, answer in zip(names, answers, strict=True)}

    def _fail(self, error: Exception) -> None:
        if self._failed_at is None:
            log.warning("limits.redis_away", error=repr(error))
        self._failed_at = self._monotonic()
        self._client.connection_pool.disconnect()

    def close(self) -> None:
        self._client.close()
