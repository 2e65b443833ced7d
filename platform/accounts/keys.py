"""The check of API keys for asyncio doors: from memory in a microsecond, without the ORM."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

import psycopg
import structlog

from accounts.errors import InvalidKey, KeysUnavailable
from accounts.identity import KeyIdentity, KeyPrincipal
from accounts.key_table import SELECT_KEYS, TOUCH_KEYS, KeyTable, key_row

__all__ = ["InvalidKey", "KeyCache", "KeyIdentity", "KeyPrincipal", "KeysUnavailable"]

BATCH: Final = 1_000
MAX_WAITING: Final = 10_000
# Between two reads: a flood of unknown keys costs the database at most a hundred small queries a second.
PAUSE_SECONDS: Final = 0.01
RETRY_SECONDS: Final = 0.1
DATABASE_SECONDS: Final = 2.0
TOUCH_SECONDS: Final = 60.0
FIRST_TOUCH_SECONDS: Final = 1.0
UNAVAILABLE: Final = "API keys cannot be checked just now: the database does not answer. Try again shortly."

log = structlog.get_logger(__name__)


class KeyCache:
    """Resolves keys for one event loop; make one per process.

    Reads are batched: whatever many requests ask for, one query is under way. A key in steady use is read
    again in the background before its entry is too old, so its requests never wait. One connection, replaced
    when it fails; a query that does not return in DATABASE_SECONDS is abandoned.

    `conninfo` is a libpq connection string or a callable that returns one (asked at each connect).
    """

    def __init__(
        self,
        *,
        conninfo: str | Callable[[], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._conninfo = conninfo
        self._monotonic = monotonic
        self._used: dict[int, float] = {}
        self._table = KeyTable(want=self._want, used=self._used)
        self._pending: dict[str, asyncio.Future[bool]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._toucher: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def resolve(self, text: str) -> KeyIdentity:
        """The identity behind a key's text. Raises InvalidKey (401) or KeysUnavailable (503)."""
        for _ in range(2):
            if identity := self._table.find(text, self._monotonic()):
                return identity
            await self._read(text[3:13])
        # Read, and already too old again: the answer might be a revoked key's.
        raise KeysUnavailable(UNAVAILABLE)

    def resolve_cached(self, text: str) -> KeyIdentity | None:
        """As `resolve`, without waiting: None when the key must be read from the database first."""
        return self._table.find(text, self._monotonic())

    def last_known(self, text: str, *, within: float) -> KeyIdentity | None:
        """A key that was valid `within` the last seconds, for when none can be read. Raises InvalidKey."""
        return self._table.last_known(text, self._monotonic(), within)

    async def close(self) -> None:
        """Write down the last uses and let go of the connection."""
        tasks = {task for task in (self._toucher, self._reader, *self._abandoned, *self._running) if task}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=DATABASE_SECONDS)
        with suppress(KeysUnavailable):
            await self._touch()
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _read(self, prefix: str) -> None:
        done = self._want(prefix)
        try:
            answered = await asyncio.wait_for(asyncio.shield(done), DATABASE_SECONDS)
        except TimeoutError:
            answered = False
        if not answered:
            raise KeysUnavailable(UNAVAILABLE)

    def _want(self, prefix: str) -> asyncio.Future[bool]:
        """Ask for a read; the future says whether it succeeded."""
        loop = asyncio.get_running_loop()
        if (waiting := self._pending.get(prefix)) is not None:
            return waiting
        future: asyncio.Future[bool] = loop.create_future()
        if len(self._pending) >= MAX_WAITING:
            future.set_result(False)
            return future
        self._pending[prefix] = future
        if self._reader is None or self._reader.done():
            self._reader = loop.create_task(self._read_pending(), name="accounts-keys-reader")
        return future

    async def _read_pending(self) -> None:
        while self._pending:
            batch = list(islice(self._pending, BATCH))
            succeeded = False
            try:
                succeeded = await self._read_batch(batch)
            finally:
                self._answer(batch, succeeded)
            await asyncio.sleep(PAUSE_SECONDS if succeeded else RETRY_SECONDS)

    def _answer(self, prefixes: list[str], succeeded: bool) -> None:
        for prefix in prefixes:
            future = self._pending.pop(prefix)
            if not future.done():
                future.set_result(succeeded)

    async def _read_batch(self, prefixes: list[str]) -> bool:
        read_at = self._monotonic()
        try:
            rows = await self._query(SELECT_KEYS, {"prefixes": prefixes})
        except KeysUnavailable:
            self._table.read_failed(prefixes)
            return False
        self._table.learn(prefixes, map(key_row, rows), read_at)
        self._start_toucher()
        return True

    def _start_toucher(self) -> None:
        if self._toucher is None or self._toucher.done():
            loop = asyncio.get_running_loop()
            self._toucher = loop.create_task(self._keep_touching(), name="accounts-keys-last-used")

    async def _keep_touching(self) -> None:
        """Note uses once a minute, until a minute passes without any; the next read starts it again."""
        await asyncio.sleep(FIRST_TOUCH_SECONDS)
        while self._used:
            with suppress(KeysUnavailable):
                await self._touch()
            await asyncio.sleep(TOUCH_SECONDS)

    async def _touch(self) -> None:
        if not self._used:
            return
        now, used = self._monotonic(), dict(self._used)
        self._used.clear()
        ages = [now - at for at in used.values()]
        interval = TOUCH_SECONDS - FIRST_TOUCH_SECONDS
        await self._query(TOUCH_KEYS, {"ids": list(used), "ages": ages, "interval": interval})

    async def _query(self, sql: str, parameters: dict[str, Any]) -> Sequence[Any]:
        task = asyncio.get_running_loop().create_task(self._execute(sql, parameters))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        done, _ = await asyncio.wait({task}, timeout=DATABASE_SECONDS)
        if not done:
            self._abandon(task)
            raise KeysUnavailable(UNAVAILABLE)
        try:
            return task.result()
        except (psycopg.Error, OSError) as error:
            log.warning("accounts.keys_unavailable", error=str(error).strip())
            raise KeysUnavailable(UNAVAILABLE) from error

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        # psycopg's own clean-up of a query that hangs takes up to ten seconds: it happens behind our back.
        self._connection = None
        self._running.discard(task)
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)
        task.cancel()
        log.warning("accounts.keys_query_abandoned", seconds=DATABASE_SECONDS)

    async def _execute(self, sql: str, parameters: dict[str, Any]) -> Sequence[Any]:
        """Run a statement; once more on a new connection if the old one had died meanwhile."""
        reused = self._connection is not None
        try:
            return await self._execute_once(sql, parameters)
        except psycopg.OperationalError:
            if not reused:
                raise
            return await self._execute_once(sql, parameters)

    async def _execute_once(self, sql: str, parameters: dict[str, Any]) -> Sequence[Any]:
        # Taken before anything is awaited: another query may bring one back while this one connects.
        connection, self._connection = self._connection, None
        if connection is None:
            connection = await self._connect()
        try:
            cursor = await connection.execute(sql, parameters)
            rows = await cursor.fetchall() if cursor.description else []
        except BaseException:
            await connection.close()
            raise
        await self._keep(connection)
        return rows

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        conninfo = self._conninfo if isinstance(self._conninfo, str) else self._conninfo()
        return await psycopg.AsyncConnection.connect(conninfo, autocommit=True)

    async def _keep(self, connection: psycopg.AsyncConnection[Any]) -> None:
        if self._connection is None:
            self._connection = connection
        else:
            await connection.close()
