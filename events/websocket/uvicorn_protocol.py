"""Uvicorn's WebSocket protocol, with a restart that answers first and an end for clients that do not read."""

from typing import Final

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from events.websocket.limits import DRAIN_SECONDS

CLOSE_SECONDS: Final = 2.0


class DrainingWebSocket(WebSocketsSansIOProtocol):
    """Start Uvicorn with `--ws events.websocket.uvicorn_protocol:DrainingWebSocket`.

    Uvicorn's own closes its sockets with 1012 at once on SIGTERM, so that what was committed could not be acknowledged;
    and it waits for ever for the buffer of a client that does not read. Reads Uvicorn's attributes: tests on the
    real process say when a release moves them.
    """

    def shutdown(self) -> None:
        """Stop reading and tell the application, which answers what it accepted and closes with 1012."""
        if not self.handshake_complete or self.close_sent or self.disconnected:
            super().shutdown()
            return
        self.stop_keepalive()
        self.read_paused = True
        self.transport.pause_reading()
        self.close_timeout = CLOSE_SECONDS
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1012})
        self.loop.call_later(DRAIN_SECONDS + CLOSE_SECONDS, self.transport.abort)

    async def send(self, message: ASGISendEvent) -> None:
        """Once the server has closed by itself, as for a frame too big, there is nobody to send to."""
        await self.writable.wait()
        if self.close_sent:
            raise ClientDisconnected
        await super().send(message)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.loop.call_later(self.close_timeout + CLOSE_SECONDS, self.transport.abort)
