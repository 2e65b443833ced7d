"""A client under load on the ingest socket that keeps a ledger; what is not answered it sends again with its ids."""

import asyncio
import contextlib
import itertools
import json
import random
import threading
from collections import Counter, deque
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from events.websocket.limits import SOCKET_PATH
from tests.support.ledger import Ledger
from tests.support.load import Batch, Mix, build_batch
from tests.support.waiting import wait_for

IN_FLIGHT = 6  # frames; with Mix's sizes well within the credit
MIX = Mix(senders=3, without_ids=0.0, repeated=0.0)


class SocketLoad:
    """Senders in a thread of their own: `with SocketLoad(...) as load:` sends until `settle`, or the end."""

    def __init__(self, *, port: int, key: str, ledger: Ledger, seed: int) -> None:
        self.closes: Counter[int] = Counter()
        self.nacks: Counter[str] = Counter()
        self._ledger = ledger
        self._address = f"ws://127.0.0.1:{port}{SOCKET_PATH}"
        self._headers = {"Authorization": f"Bearer {key}"}
        self._seed = seed
        self._stopping = threading.Event()
        self._give_up = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="socket-load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._give_up.set()
        self._thread.join(timeout=20)

    def wait_for_acknowledged(self, more: int, seconds: float = 60) -> None:
        goal = self._ledger.acknowledged + more
        wait_for(lambda: self._check() and self._ledger.acknowledged >= goal, seconds=seconds,
                 what=f"{more} acknowledgements ({self.closes}, {self.nacks})")  # fmt: skip

    def settle(self, seconds: float = 60) -> None:
        """Send nothing new; send what is not answered until it is."""
        self._stopping.set()
        self._thread.join(timeout=seconds)
        assert not self._thread.is_alive(), f"frames were not answered in {seconds:g} s: {self.closes}"
        self._check()

    def _check(self) -> bool:
        if self._failure is not None:
            raise self._failure
        return True

    def _run(self) -> None:
        try:
            asyncio.run(self._send_all())
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            self._failure = error

    async def _send_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for sender in range(MIX.senders):
                group.create_task(self._keep_sending(sender))

    async def _keep_sending(self, sender: int) -> None:
        """Connect again after each close, first with what the last socket left unanswered."""
        batches = self._batches(sender)
        again: deque[Batch] = deque()
        while not self._give_up.is_set() and not (self._stopping.is_set() and not again):
            unanswered: dict[int, Batch] = {}
            with contextlib.suppress(OSError, InvalidHandshake, ConnectionClosed, TimeoutError):
                async with connect(self._address, additional_headers=self._headers, proxy=None) as socket:
                    await self._talk(socket, batches, again, unanswered)
            again.extendleft(reversed(unanswered.values()))
            await asyncio.sleep(0.05)

    def _batches(self, sender: int) -> Iterator[Batch]:
        random_, numbers = random.Random(f"{self._seed}-{sender}"), itertools.count()
        while True:
            yield build_batch(random_, numbers, f"{self._seed}-{sender}", MIX)

    async def _talk(
        self,
        socket: ClientConnection,
        batches: Iterator[Batch],
        again: deque[Batch],
        unanswered: dict[int, Batch],
    ) -> None:
        await socket.recv()
        for seq in itertools.count(1):
            if again:
                unanswered[seq] = again.popleft()
            elif not self._stopping.is_set():
                unanswered[seq] = batch = next(batches)
                self._ledger.sent(batch.entries)
            elif not unanswered:
                return
            if seq in unanswered:
                await socket.send(b"%d\n%s" % (seq, unanswered[seq].body))
            while len(unanswered) >= IN_FLIGHT or (unanswered and self._stopping.is_set() and not again):
                async with asyncio.timeout(30):
                    self._hear(json.loads(await socket.recv()), again, unanswered)

    def _hear(self, said: dict[str, Any], again: deque[Batch], unanswered: dict[int, Batch]) -> None:
        if "ack" in said:
            answered = [seq for seq in unanswered if seq <= said["ack"]]
            assert answered, said
            assert len(answered) == 1 or not said["errors"], "errors name no frame"
            refused = frozenset(error["index"] for error in said["errors"])
            for seq in answered:
                self._ledger.heard(unanswered.pop(seq).entries, refused)
        elif "nack" in said:
            assert said["status"] == 503, said
            self.nacks[said["code"]] += 1
            again.append(unanswered.pop(said["nack"]))
        else:
            self.closes[said["closing"]] += 1
