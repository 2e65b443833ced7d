"""A TCP proxy before PostgreSQL that can lose the answer to a COMMIT that was carried out."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

# Startup packets that ask for encryption (PostgreSQL documentation, "Message Formats"): answered with no.
SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"  # CommandComplete
WRITER = b"ingest_begin"  # in the text of a statement that only the writer sends
CHUNK = 256 * 1024


class LossyProxy:
    """Listens on 127.0.0.1:`port`; `lose_answers(n)` cuts the writer off after each of its next n commits."""

    def __init__(self, database_url: str) -> None:
        self._upstream = urlsplit(database_url)
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._to_lose = 0
        self.lost = 0
        self.port = 0

    @property
    def url(self) -> str:
        """The database's URL by way of this proxy."""
        credentials = self._upstream.netloc.rpartition("@")[0]
        netloc = f"{credentials}@127.0.0.1:{self.port}"
        return self._upstream._replace(netloc=netloc, query="sslmode=disable&gssencmode=disable").geturl()

    def lose_answers(self, count: int) -> None:
        self._to_lose = count

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(_wind_up())
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = [writer]
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._relay(reader, opened)
        finally:
            for each in opened:
                each.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, opened: list[asyncio.StreamWriter]) -> None:
        """Adds the connection to the server to `opened`."""
        (writer,) = opened
        startup = await self._startup(reader, writer)
        from_server, to_server = await self._connect()
        opened.append(to_server)
        to_server.write(startup)
        writers = [False]
        await asyncio.wait(
            [
                asyncio.create_task(self._pump(reader, to_server, lambda data: _notice(data, writers))),
                asyncio.create_task(
                    self._pump(from_server, writer, lambda data: self._passes(data, writers))
                ),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )

    async def _startup(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        while True:
            head = await reader.readexactly(8)
            length, code = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
            if code not in (SSL_REQUEST, GSS_REQUEST):
                return head + await reader.readexactly(length - 8)
            writer.write(b"N")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = unquote(self._upstream.hostname or "127.0.0.1"), self._upstream.port or 5432
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}", limit=CHUNK)
        return await asyncio.open_connection(host, port, limit=CHUNK)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: Callable[[bytes], bool]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if not passes(data):
                    return
                writer.write(data)
                await writer.drain()

    def _passes(self, data: bytes, writers: list[bool]) -> bool:
        if self._to_lose and writers[0] and COMMITTED in data:
            self._to_lose -= 1
            self.lost += 1
            return False
        return True


def _notice(data: bytes, writers: list[bool]) -> bool:
    writers[0] = writers[0] or WRITER in data
    return True


async def _wind_up() -> None:
    """End every connection, also one that was accepted a moment ago and has no task yet."""
    for _ in range(5):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # an aborted socket is closed by the loop's next turns
