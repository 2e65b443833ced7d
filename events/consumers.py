"""WS /ws/v1/ingest: one socket, from its key to its close code. docs/websocket.md is its contract."""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from functools import lru_cache
from typing import Any, ClassVar, Final

import structlog
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer

from accounts.authentication import bearer
from accounts.errors import InvalidKey, KeysUnavailable
from accounts.identity import KeyIdentity
from accounts.keys import KeyCache
from accounts.origins import header, origin_is_ours
from accounts.roles import key_permissions
from events.admission import admit, check_address, forwarded_for, peer_of
from events.drops import count_refused_request
from events.errors import IngestError, Overloaded, RequestRefused
from events.ingest_keys import resolve_key
from events.policies import Policy
from events.services import ingest_events, policy_of
from events.websocket.frames import (
    FIRST,
    Close,
    Closing,
    EventsFrame,
    Ready,
    Refusal,
    SocketRefused,
    parse_auth,
    parse_events,
    violation,
)
from events.websocket.ledger import Entry
from events.websocket.limits import SocketLimits
from events.websocket.outbox import Outbox
from events.websocket.refusals import FAILED, IDLE, RESTARTING, refusal_of
from events.websocket.subprotocols import SUBPROTOCOLS, choose_subprotocol, frame_options
from events.writer import LoopDelivery
from telemetry.request_ids import request_id

log = structlog.get_logger(__name__)
_permissions_of: Final = lru_cache(maxsize=64)(key_permissions)


class IngestConsumer(AsyncConsumer):  # type: ignore[misc]  # Channels has no types
    """Four tasks: the reader only counts and queues, so that it always sees the end; the worker has frames ingested
    one by one; the pump sends verdicts in the order of the frames; the guard looks at clock and key.
    """

    # No channel layer: Channels would subscribe each socket in Redis before it is served, and freeze with it.
    channel_layer_alias = ""
    open_sockets: ClassVar[set["IngestConsumer"]] = set()

    def __init__(self, *, keys: KeyCache, delivery: LoopDelivery, limits: SocketLimits | None = None) -> None:
        super().__init__()
        self.keys = keys
        self.delivery = delivery
        self.limits = limits or SocketLimits()
        self.key = ""
        self.key_id: int | None = None
        self.request_id = ""
        self.subprotocol = ""
        self.outbox = Outbox(self.limits, self._send_text)
        self.inbox: asyncio.Queue[tuple[bytes, float]] = asyncio.Queue()
        self.heard_at = time.monotonic()
        self.last_seq = 0
        self.mistakes = 0
        self.worker: asyncio.Task[None] | None = None
        self.leaving: asyncio.Task[None] | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:  # so Daphne restarts; Uvicorn sends a disconnect
            await self._restart()
            raise
        finally:
            self._release()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """As in Channels, without its look at the database connections of a thread that is not ours."""
        match message["type"]:
            case "websocket.connect":
                await self._connect()
            case "websocket.receive":
                text = message.get("text")
                self._receive(message["bytes"] if text is None else text.encode())
            case "websocket.disconnect":
                if message.get("code") == Close.RESTART:
                    await self._restart()
                raise StopConsumer

    async def _connect(self) -> None:
        headers = self.scope["headers"]
        if not origin_is_ours(headers):
            await self.send({"type": "websocket.close"})  # before accepting: HTTP 403
            return
        name = choose_subprotocol(offered := self.scope.get("subprotocols", []))
        self.request_id = request_id(header(headers, b"x-request-id"))
        await self.send({"type": "websocket.accept", "subprotocol": name if offered else None})
        if len(self.open_sockets) >= self.limits.sockets:
            self._close(Close.OVERLOADED, _too_many("This process"))
            return
        self.open_sockets.add(self)
        self._start(self.outbox.pump())
        if name is None:
            detail = f"None of these subprotocols is known; offer {' or '.join(SUBPROTOCOLS)}."
            self._close(Close.POLICY, Refusal(400, "unknown_subprotocol", detail))
            return
        self.subprotocol = name
        self.worker = self._start(self._work(header(headers, b"authorization")))

    def _receive(self, frame: bytes) -> None:
        """Never waits: on a server without backpressure what is not counted at once is memory."""
        if self.leaving:
            return
        self.heard_at = time.monotonic()
        if len(frame) > self.limits.frame_bytes:
            detail = f"A frame has at most {self.limits.frame_bytes} bytes; send smaller ones."
            self._close(Close.TOO_BIG, Refusal(413, "frame_too_large", detail))
        elif not self.outbox.credit.receive(len(frame)):
            self._exceeded("bytes")
        else:
            self.inbox.put_nowait((frame, self.heard_at))

    async def _work(self, authorization: str) -> None:
        try:
            await self._welcome(await self._sent_key(authorization))
            while True:
                frame, arrived = await self.inbox.get()
                await self._ingest(frame, arrived)
                await asyncio.sleep(0)  # other sockets' turn
        except SocketRefused as refused:
            self._close(refused.close, refused.refusal)

    async def _sent_key(self, authorization: str) -> str:
        """The key from the header, or else from the first frame."""
        if authorization:
            try:
                return bearer(authorization.encode("latin-1"))
            except InvalidKey as error:
                raise violation(error.code, str(error), status=error.status) from None
        try:
            async with asyncio.timeout(self.limits.authenticate_seconds):
                frame, _ = await self.inbox.get()
        except TimeoutError:
            raise violation("authentication_required", FIRST, status=401) from None
        self.outbox.credit.settle(events=0, size=len(frame))
        return parse_auth(frame)

    async def _welcome(self, key: str) -> None:
        self.key = key
        try:
            identity = await self._identify()
        except KeysUnavailable as error:
            raise SocketRefused(Close.OVERLOADED, refusal_of(error)) from None
        try:
            check_address(identity, peer=peer_of(self.scope), forwarded_for=self._forwarded_for())
        except RequestRefused as error:
            count_refused_request(identity, error)
            raise violation(error.code, error.detail, status=error.status) from None
        of_key = sum(socket.key_id == identity.key_id for socket in self.open_sockets)
        if of_key >= self.limits.sockets_per_key:
            raise SocketRefused(Close.OVERLOADED, _too_many("This key"))
        self.key_id = identity.key_id
        self._start(self._guard())
        await self.outbox.say(Ready(identity.project_slug, self.outbox.open()))

    async def _identify(self) -> KeyIdentity:
        """Who the key is now. Raises SocketRefused, KeysUnavailable."""
        try:
            identity = await resolve_key(self.keys, self.key)
        except InvalidKey as error:
            raise violation(error.code, str(error), status=error.status) from None
        if "events.write" not in _permissions_of(identity.scopes):
            detail = "This key may not send events; use one with the scope ingest."
            raise violation("scope_missing", detail, status=403)
        return identity

    async def _ingest(self, frame: bytes, arrived: float) -> None:
        parsed = parse_events(frame, SUBPROTOCOLS[self.subprotocol], last=self.last_seq)
        self.last_seq = parsed.seq
        entry = Entry(parsed.seq, len(frame), arrived)
        identity: KeyIdentity | None = None
        try:
            identity = await self._identify()
            if identity.limits is not None:
                await admit(identity, peer=peer_of(self.scope), forwarded_for=self._forwarded_for())
            policy = await policy_of(identity)
            self._submit(entry, parsed, identity, policy)
        except (IngestError, KeysUnavailable) as error:
            if identity is not None and isinstance(error, IngestError):
                count_refused_request(identity, error)
            self._refuse(entry, refusal_of(error))
        except SocketRefused:
            raise
        except Exception:  # the process boundary: a defect in one frame must not cost the others
            log.exception("socket_frame_failed", request_id=self.request_id, seq=entry.seq)
            self._refuse(entry, FAILED)
        else:
            self.mistakes = 0

    def _forwarded_for(self) -> str:
        return forwarded_for(self.scope["headers"])

    def _submit(self, entry: Entry, frame: EventsFrame, identity: KeyIdentity, policy: Policy) -> None:
        """Hand the frame's events to the writer. Never waits: from here on the client gets an answer."""
        options = frame_options(self.subprotocol, frame.words)
        entry.ids, entry.dry_run = options.ids, options.ingest.dry_run
        entry.events = ingest_events(
            identity=identity,
            body=frame.body,
            options=options.ingest,
            policy=policy,
            request_id=f"{self.request_id}:{entry.seq}",
            arrived=entry.arrived,
            deliver=self.delivery.deliver_to(self.outbox.future_of(entry)),
        )
        self.outbox.add(entry)
        if not self.outbox.credit.count(entry.events):
            self._exceeded("events")

    def _refuse(self, entry: Entry, refusal: Refusal) -> None:
        """A frame that is refused as a whole; a client whose every frame is wrong has to go."""
        entry.answer = refusal
        self.outbox.add(entry)
        self.mistakes += not refusal.passing
        if self.mistakes >= self.limits.mistakes:
            detail = f"{self.mistakes} frames in a row were refused. Correct the client and connect again."
            self._close(Close.POLICY, Refusal(400, "too_many_mistakes", detail))

    async def _send_text(self, text: str) -> None:
        await self.send({"type": "websocket.send", "text": text})

    async def _guard(self) -> None:
        """Answer what hangs, and close the socket when it idles or its key may no longer send."""
        while True:
            await asyncio.sleep(self.limits.recheck_seconds)
            self.outbox.expire()
            if not self.outbox.owes and time.monotonic() - self.heard_at > self.limits.idle_seconds:
                self._close(Close.IDLE, IDLE)
            try:
                await self._identify()
            except SocketRefused as refused:
                self._close(refused.close, refused.refusal)
            except KeysUnavailable:
                continue  # no answer is no verdict: without a database nothing is stored either

    def _exceeded(self, what: str) -> None:
        detail = f"More {what} were sent than credit was granted. Wait for credit before sending."
        self._close(Close.POLICY, Refusal(429, "credit_exceeded", detail))

    async def _restart(self) -> None:
        self._close(Close.RESTART, RESTARTING)
        if self.leaving:
            await asyncio.wait({self.leaving})

    def _close(self, code: Close, refusal: Refusal) -> None:
        """Begin to leave; the first reason stands."""
        if self.leaving is None:
            self.leaving = self._start(self._leave(code, refusal))

    async def _leave(self, code: Close, refusal: Refusal) -> None:
        """Take nothing more, answer what was accepted, say why, then close."""
        if self.worker:
            self.worker.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.limits.drain_seconds):
                await self.outbox.settled()
        await self.outbox.say(
            Closing(code, refusal.status, refusal.code, refusal.detail, refusal.retry_after)
        )
        await self.send({"type": "websocket.close", "code": int(code), "reason": refusal.code})

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, OSError):  # an OSError: the client has gone
            log.error("socket_failed", request_id=self.request_id, exc_info=error)
            self._close(Close.INTERNAL, FAILED)

    def _release(self) -> None:
        """End the tasks; safe to repeat. What was accepted is committed all the same."""
        self.open_sockets.discard(self)
        for task in self.tasks:
            task.cancel()


def _too_many(who: str) -> Refusal:
    error = Overloaded(
        f"{who} has as many ingest sockets open as it may. Connect again later.", retry_after=5
    )
    return refusal_of(error)
