"""Daphne's WebSocket protocol, with backpressure and with the close codes that docs/websocket.md names."""

import asyncio
from typing import Any, Final

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

MAX_WAITING: Final = 16
LOOK_SECONDS: Final = 0.005


class BoundedWebSocket(WebSocketProtocol):  # type: ignore[misc]  # Daphne has no types
    """Daphne's own queues without a bound what the application has not taken yet: a flood took 100 MB a second.

    It also cannot close with 1008 or 1013: autobahn keeps applications from all codes below 3000 but 1000.
    """

    paused = False

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state != self.STATE_OPEN:
            return  # closing: nobody takes it any more
        super().onMessage(payload, isBinary)
        if not self.paused and self.application_queue.qsize() >= MAX_WAITING:
            self.paused = True
            self.transport.pauseProducing()
            self._look_later()

    def serverClose(self, code: int | None = None) -> None:
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=code or 1000, reasonUtf8=None, isReply=False)

    def _look_later(self) -> None:
        asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Read on once the application has taken what waits, or the socket closes."""
        if self.application_queue.qsize() and self.state == self.STATE_OPEN:
            self._look_later()
        else:
            self.paused = False
            self.transport.resumeProducing()


def bound_daphne_sockets() -> None:
    """Have Daphne use it, when it is Daphne that serves; before its first connection."""
    protocol: Any = BoundedWebSocket
    WebSocketFactory.protocol = protocol
