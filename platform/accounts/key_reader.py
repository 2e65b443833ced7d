"""The check of API keys for synchronous doors (DRF): the same memory and SQL, on Django's connection."""

import threading
import time
from collections.abc import Callable
from math import inf

from django.db import Error, connection

from accounts.errors import KeysUnavailable
from accounts.identity import KeyIdentity
from accounts.key_table import SELECT_KEYS, TOUCH_KEYS, KeyTable, key_row
from accounts.keys import TOUCH_SECONDS, UNAVAILABLE


def _nobody_waits(prefix: str) -> None:
    """No background here: an entry serves until it is stale, and then its reader waits."""


class KeyReader:
    """As KeyCache, for threads."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._used: dict[int, float] = {}
        self._touched: dict[int, float] = {}
        self._table = KeyTable(want=_nobody_waits, used=self._used)

    def resolve(self, text: str) -> KeyIdentity:
        """The identity behind a key's text. Raises InvalidKey (401) or KeysUnavailable (503)."""
        for _ in range(2):
            with self._lock:
                identity = self._table.find(text, self._monotonic())
            if identity is not None:
                self._touch(identity.key_id)
                return identity
            self._read(text[3:13])
        raise KeysUnavailable(UNAVAILABLE)

    def last_known(self, text: str, *, within: float) -> KeyIdentity | None:
        """As KeyCache.last_known."""
        with self._lock:
            return self._table.last_known(text, self._monotonic(), within)

    def _read(self, prefix: str) -> None:
        read_at = self._monotonic()
        try:
            with connection.cursor() as cursor:
                cursor.execute(SELECT_KEYS, {"prefixes": [prefix]})
                rows = [key_row(row) for row in cursor.fetchall()]
        except Error as error:
            raise KeysUnavailable(UNAVAILABLE) from error
        with self._lock:
            self._table.learn([prefix], rows, read_at)

    def _touch(self, key_id: int) -> None:
        now = self._monotonic()
        if now - self._touched.get(key_id, -inf) < TOUCH_SECONDS:
            return
        self._touched[key_id] = now
        try:
            with connection.cursor() as cursor:
                cursor.execute(TOUCH_KEYS, {"ids": [key_id], "ages": [0.0], "interval": TOUCH_SECONDS - 1})
        except Error as error:
            raise KeysUnavailable(UNAVAILABLE) from error
