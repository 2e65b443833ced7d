"""A client of WS /ws/v1/live that notes when the overview had counted how many events."""

import json
import threading
import time
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

from tests.support.stack import Seeded
from tests.support.waiting import wait_for

RECEIVE_SECONDS = 0.2


class Watcher:
    """Subscribes to a project's overview; `seen` holds (monotonic seconds, accepted in 15 minutes)."""

    def __init__(self, port: int, project: Seeded) -> None:
        self.seen: list[tuple[float, int]] = []
        self.frames: list[dict[str, Any]] = []
        self._port = port
        self._project = project
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(lambda: self.seen, seconds=20, what="the first snapshot of the overview")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(timeout=10)

    @property
    def accepted(self) -> int:
        return self.seen[-1][1]

    def _watch(self) -> None:
        origin = f"http://127.0.0.1:{self._port}"
        address = f"ws://127.0.0.1:{self._port}/ws/v1/live"
        with connect(address, additional_headers={"Origin": origin}, proxy=None, max_size=None) as socket:
            socket.send(json.dumps({"auth": self._project.read_key}))
            socket.send(json.dumps({"subscribe": "overview", "params": {"project": self._project.slug}}))
            while not self._stopping.is_set():
                self._receive(socket)

    def _receive(self, socket: ClientConnection) -> None:
        try:
            frame = json.loads(socket.recv(timeout=RECEIVE_SECONDS))
        except TimeoutError:
            return
        at = time.monotonic()
        if frame.get("kind") in ("snapshot", "delta"):
            socket.send(json.dumps({"ack": frame["seq"]}))
            data = frame["data"] or {}
            if "totals" in data:
                self.seen.append((at, data["totals"]["accepted"]))
        self.frames.append({name: value for name, value in frame.items() if name != "data"})
