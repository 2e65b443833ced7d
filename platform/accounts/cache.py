"""Django's cache on Redis, and in this process's memory while Redis is away."""

import time
from typing import Any, Final

import structlog
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

SOCKET_SECONDS: Final = 0.5
AWAY_SECONDS: Final = 5.0

# Of the process: Django makes a cache object for every request.
_away_until = 0.0
log = structlog.get_logger(__name__)


class RedisOrMemoryCache(BaseCache):
    """Sign-in is throttled through this, and must work without Redis: after one failure or SOCKET_SECONDS of
    silence, everything is kept in memory for AWAY_SECONDS before Redis is tried again. While it is away, each
    process counts failed sign-ins by itself.
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        options = {
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": SOCKET_SECONDS,
            # redis-py would try four times: a frozen server must cost one timeout, not four and the pauses.
            "retry": Retry(NoBackoff(), 0),
        }
        self._redis = RedisCache(location, {**params, "OPTIONS": {**options, **params.get("OPTIONS", {})}})
        self._memory = LocMemCache("streamgauge-redis-away", {**params, "OPTIONS": {}})

    def _do(self, method: str, *args: Any, **kwargs: Any) -> Any:
        global _away_until
        if time.monotonic() >= _away_until:
            try:
                return getattr(self._redis, method)(*args, **kwargs)
            except (RedisError, OSError) as error:
                _away_until = time.monotonic() + AWAY_SECONDS
                log.warning("accounts.cache_in_memory", error=str(error), seconds=AWAY_SECONDS)
        return getattr(self._memory, method)(*args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._do("add", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._do("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._do("set", *args, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> Any:
        return self._do("touch", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._do("delete", *args, **kwargs)

    def has_key(self, *args: Any, **kwargs: Any) -> Any:
        return self._do("has_key", *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return self._do("incr", *args, **kwargs)

    def clear(self) -> None:
        self._do("clear")

    def close(self, **kwargs: Any) -> None:
        self._redis.close(**kwargs)
