"""`python -m tests.benchmarks.generator`: the load, in its own process; spec on stdin, samples on stdout.

It encodes every request first, says "ready", and begins on "go". Its own limit is measured against bare_app.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, Literal

import msgspec
import uvloop

from tests.benchmarks.payloads import EventPlan, bodies
from tests.benchmarks.socket_client import Message, SocketClient, frames
from tests.support.http import Connection, connect, post_message


class Spec(msgspec.Struct):
    """`rate` is events a second for an open loop; a closed loop sends as answers come, sockets as credit does."""

    kind: Literal["closed", "open", "sockets"]
    port: int
    key: str
    connections: int
    requests: int
    events_each: int
    with_ids: bool = False
    rate: float = 0.0
    seed: int = 1


class Samples(msgspec.Struct):
    """Times are CLOCK_MONOTONIC seconds, so that other processes can compare; latencies in milliseconds.

    In an open loop a latency counts from when the request was due, not from when a connection was free: no
    coordinated omission. `due` holds (time, events due by then).
    """

    seconds: float
    accepted: int
    duplicates: int
    rejected: int
    statuses: dict[str, int]
    latencies: list[float]
    due: list[tuple[float, int]]
    bytes_sent: int


class Counts(msgspec.Struct):
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0


class Generator:
    """Sends the requests of a spec and keeps the samples."""

    def __init__(self, spec: Spec, messages: list[bytes]) -> None:
        self.spec = spec
        self.messages = messages
        self.samples = no_samples(messages)
        self._decode = msgspec.json.Decoder(Counts).decode

    async def run(self) -> Samples:
        connections = [await connect(self.spec.port) for _ in range(self.spec.connections)]
        began = time.monotonic()
        if self.spec.kind == "closed":
            remaining = iter(self.messages)
            await asyncio.gather(*(self._closed(connection, remaining) for connection in connections))
        else:
            await self._open(connections, began + 0.05)
        self.samples.seconds = time.monotonic() - began
        for connection in connections:
            connection.close()
        return self.samples

    async def _closed(self, connection: Connection, remaining: Iterator[bytes]) -> None:
        for message in remaining:
            await self._request(connection, message, time.monotonic())

    async def _open(self, connections: list[Connection], start: float) -> None:
        """Requests are due at even distances whatever the server does; they wait in line for a connection."""
        line: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue()
        workers = [asyncio.create_task(self._serve_line(connection, line)) for connection in connections]
        interval = self.spec.events_each / self.spec.rate
        for number, message in enumerate(self.messages):
            due = start + number * interval
            while (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            self.samples.due.append((due, (number + 1) * self.spec.events_each))
            line.put_nowait((due, message))
        for _ in workers:
            line.put_nowait(None)
        await asyncio.gather(*workers)

    async def _serve_line(
        self, connection: Connection, line: "asyncio.Queue[tuple[float, bytes] | None]"
    ) -> None:
        while (item := await line.get()) is not None:
            due, message = item
            await self._request(connection, message, due)

    async def _request(self, connection: Connection, message: bytes, since: float) -> None:
        answer = await connection.request(message)
        self.samples.latencies.append((time.monotonic() - since) * 1000)
        status = str(answer.status)
        self.samples.statuses[status] = self.samples.statuses.get(status, 0) + 1
        if answer.status in (200, 207):
            counts = self._decode(answer.body)
            self.samples.accepted += counts.accepted
            self.samples.duplicates += counts.duplicates
            self.samples.rejected += counts.rejected


def no_samples(messages: list[bytes]) -> Samples:
    return Samples(0.0, 0, 0, 0, {}, [], [], sum(map(len, messages)))


async def send_by_sockets(spec: Spec, messages: list[Message]) -> Samples:
    """As many frames in flight as each socket has credit for."""
    loop, remaining = asyncio.get_running_loop(), iter(messages)
    clients: list[SocketClient] = []
    for _ in range(spec.connections):
        _, client = await loop.create_connection(
            lambda: SocketClient(spec.key, remaining, spec.events_each), "127.0.0.1", spec.port
        )
        await client.open
        clients.append(client)
    began = time.monotonic()
    for client in clients:
        client.start()
    await asyncio.gather(*(client.done for client in clients))
    samples = no_samples([message.wire for message in messages])
    samples.seconds = time.monotonic() - began
    for client in clients:
        samples.accepted += client.heard.accepted
        samples.duplicates += client.heard.duplicates
        samples.rejected += client.heard.rejected
        samples.latencies += client.latencies
        samples.statuses["answers"] = samples.statuses.get("answers", 0) + client.answers
        client.close()
    return samples


def main() -> None:
    spec = msgspec.json.decode(sys.stdin.readline(), type=Spec)
    spacing = int(1_000_000 / spec.rate) if spec.rate else 40
    plan = EventPlan(with_ids=spec.with_ids, seed=spec.seed, spacing_us=spacing)
    encoded = bodies(plan, requests=spec.requests, events_each=spec.events_each)
    if spec.kind == "sockets":
        work: Callable[[], Coroutine[Any, Any, Samples]] = partial(send_by_sockets, spec, frames(encoded))
    else:
        work = Generator(spec, [post_message(body, key=spec.key) for body in encoded]).run
    print("ready", flush=True)
    sys.stdin.readline()
    samples = uvloop.run(work())
    sys.stdout.buffer.write(msgspec.json.encode(samples) + b"\n")


if __name__ == "__main__":
    main()
