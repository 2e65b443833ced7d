"""WS /ws/v1/live: one socket, from its first frame to its close code. docs/live.md is its contract."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, ClassVar

import structlog
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseError

from accounts.errors import KeysUnavailable
from accounts.origins import origin_is_ours
from monitoring import threads
from monitoring.access import (
    Credentials,
    KeyCredentials,
    Person,
    came_from_page,
    recheck,
    session_credentials,
    viewable_project,
)
from monitoring.errors import (
    AuthenticationRequired,
    BadFrame,
    Forbidden,
    LiveError,
    TooMany,
    TooSlow,
    Unavailable,
)
from monitoring.frames import ClientFrame, Close, encode, parse
from monitoring.limits import Limits
from monitoring.rate import FrameRate
from monitoring.subscriptions import Subscriptions, name_of

log = structlog.get_logger(__name__)

Verdict = tuple[Close, LiveError]
AWAY = (DatabaseError, KeysUnavailable, Unavailable)
FAILED = "The live view failed here. Connect again."
SIGN_IN = 'Sign in, or send {"auth": "<key with the scope read>"} first.'


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    """Hears frames and keeps the socket honest; hubs decide what there is to send."""

    # No channel layer: Channels would subscribe each socket in Redis before it is served, and freeze with it.
    channel_layer_alias = ""
    open_sockets: ClassVar[set["LiveConsumer"]] = set()

    def __init__(self, *, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.limits = limits or Limits()
        self.clock = clock
        self.opened_at = clock()
        self.credentials: Credentials | None = None
        self.wake = asyncio.Event()
        self.subscriptions = Subscriptions(self.limits, self.wake, clock)
        self.rate = FrameRate(self.limits.frames_per_second, self.limits.burst, clock)
        self.mistakes = 0
        self.closing = False
        self.tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._release()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """As in Channels, without its look at the database connections of a thread that is not ours."""
        match message["type"]:
            case "websocket.connect":
                await self.connect()
            case "websocket.receive":
                await self.receive(message.get("text"), message.get("bytes"))
            case "websocket.disconnect":
                raise StopConsumer

    async def connect(self) -> None:
        headers = self.scope["headers"]
        if not origin_is_ours(headers):
            await self.close()  # before accepting: HTTP 403
            return
        await self.accept()
        if len(self.open_sockets) >= self.limits.sockets:
            await self._leave(Close.OVERLOADED, TooMany("This process has as many live sockets as it takes."))
            return
        self.open_sockets.add(self)
        self._start(self._guard())
        self._start(self._pump())
        if came_from_page(headers):
            await self._authenticate_page(session_credentials(headers))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.closing:
            return
        if len(text_data or bytes_data or "") > self.limits.frame_bytes:
            error = BadFrame(f"A frame has at most {self.limits.frame_bytes} bytes.")
            await self._leave(Close.TOO_BIG, error)
        elif not self.rate.allows():
            await self._leave(Close.POLICY, TooMany("Too many frames: send one per frame received, no more."))
        else:
            await self._hear(text_data or "")

    async def _hear(self, text: str) -> None:
        try:
            await self._handle(parse(text))
        except (DatabaseError, KeysUnavailable):
            await self._refuse(Unavailable())
        except LiveError as error:
            await self._refuse(error)

    async def _handle(self, frame: ClientFrame) -> None:
        match frame.verb:
            case "subscribe":
                await self._subscribe(frame)
            case "unsubscribe":
                await self._unsubscribe(frame)
            case "ack":
                self.subscriptions.find(frame, frame.topic).acknowledge(int(frame.ack or 0))
            case "ping":
                await self._say({"pong": frame.ping})
            case "auth":
                await self._authenticate_key(str(frame.auth))

    async def _authenticate_page(self, credentials: Credentials | None) -> None:
        """A page that is signed in needs no first frame; one that is not learns it at once."""
        try:
            person = await self._database(credentials.person) if credentials else None
        except AWAY:
            await self._leave(Close.OVERLOADED, Unavailable())
            return
        if credentials and person is not None:
            await self._welcome(credentials)
        else:
            await self._say_error(AuthenticationRequired(SIGN_IN, field="auth"))

    async def _authenticate_key(self, text: str) -> None:
        if self.credentials is not None:
            raise BadFrame("This socket is authenticated already.", field="auth")
        credentials = KeyCredentials(text)
        if await self._database(credentials.person) is None:
            error = Forbidden("This key is unknown, revoked or expired. Create another one.", field="auth")
            await self._leave(Close.SIGN_IN, error)
        else:
            await self._welcome(credentials)

    async def _welcome(self, credentials: Credentials) -> None:
        self.credentials = credentials
        await self._say({"kind": "ready", "credit": self.limits.credit})

    async def _subscribe(self, frame: ClientFrame) -> None:
        name = name_of(frame, frame.subscribe)
        person: Person | None = await self._database(self.credentials.person) if self.credentials else None
        if person is None:
            raise AuthenticationRequired(SIGN_IN, field="auth")
        project = await self._database(viewable_project, person, name[1], name[0])
        self.subscriptions.add(name, project, frame.since)

    async def _unsubscribe(self, frame: ClientFrame) -> None:
        topic, project = name = name_of(frame, frame.unsubscribe)
        self.subscriptions.find(frame, topic)
        self.subscriptions.drop(name)
        await self._say({"topic": topic, "project": project, "kind": "unsubscribed"})

    async def _database(self, function: Callable[..., Any], *args: Any) -> Any:
        return await threads.within(self.limits.database_seconds, function, *args)

    async def _pump(self) -> None:
        """Send what hubs have for this socket, as fast as its client acknowledges."""
        while not self.subscriptions.broken:
            for frame in self.subscriptions.frames():
                await self.send(text_data=frame)
            await self.wake.wait()
            self.wake.clear()
        await self._leave(Close.INTERNAL, Unavailable(FAILED))

    async def _guard(self) -> None:
        """Close the socket when it owes something or may no longer be here."""
        while True:
            await asyncio.sleep(self.limits.recheck_seconds)
            if verdict := self._owes() or await self._lost():
                await self._leave(*verdict)
                return

    def _owes(self) -> Verdict | None:
        if self.subscriptions.silent_seconds() > self.limits.acknowledge_seconds:
            return Close.NOT_ACKNOWLEDGED, TooSlow("Frames were not acknowledged in time.", field="ack")
        waited = self.clock() - self.opened_at
        if self.credentials is None and waited > self.limits.authenticate_seconds:
            return Close.SIGN_IN, AuthenticationRequired(SIGN_IN, field="auth")
        return None

    async def _lost(self) -> Verdict | None:
        """What a look at the rows says; no answer is no verdict, for then nothing new can be seen here either."""
        if self.credentials is None:
            return None
        with suppress(*AWAY):
            found = await self._database(recheck, self.credentials, self.subscriptions.subscribed)
            if not found.known:
                gone = AuthenticationRequired("The session ended, or the key was revoked.", field="auth")
                return Close.SIGN_IN, gone
            if found.lost:
                return Close.POLICY, Forbidden("You may no longer see this project.", field="params.project")
        return None

    async def _refuse(self, error: LiveError) -> None:
        """Tell the client what was wrong; one that only makes mistakes has to go."""
        await self._say_error(error)
        self.mistakes += 1
        if self.mistakes >= self.limits.mistakes:
            await self._leave(Close.POLICY, TooMany("Too many frames were refused on this socket."))

    async def _leave(self, code: Close, error: LiveError) -> None:
        """Say why, then close."""
        if self.closing:
            return
        self.closing = True
        await self._say_error(error)
        await self.close(code=int(code))
        self._release(keep=asyncio.current_task())

    async def _say_error(self, error: LiveError) -> None:
        await self._say({"kind": "error", "code": error.code, "field": error.field, "message": error.message})

    async def _say(self, frame: Any) -> None:
        await self.send(text_data=encode(frame))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("live.socket_failed", exc_info=error)
            self._start(self._leave(Close.INTERNAL, Unavailable(FAILED)))

    def _release(self, keep: "asyncio.Task[Any] | None" = None) -> None:
        """Leave the hubs and end the tasks; safe to repeat."""
        self.open_sockets.discard(self)
        self.subscriptions.clear()
        for task in self.tasks - {keep}:
            task.cancel()
