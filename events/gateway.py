"""The fast door: a bare ASGI app in front of Django for POST /api/v1/events and WS /ws/v1/ingest."""

import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import lru_cache, partial
from typing import Any, Final

import msgspec
import structlog

from accounts.authentication import bearer
from accounts.errors import InvalidKey, KeysUnavailable
from accounts.identity import KeyIdentity
from accounts.keys import KeyCache
from accounts.roles import key_permissions
from events.admission import admit, forwarded_for, peer_of, refusal_answer, with_limits
from events.answers import JSON, Answer, problem, verdict_answer
from events.connections import conninfo
from events.consumers import IngestConsumer
from events.drops import drops
from events.errors import IngestError, OutcomeUnknown, Overloaded, RequestRefused
from events.imports.door import takes_upload, upload_answer
from events.ingest_keys import resolve_key
from events.limits import MAX_BODY_BYTES, PUBLISHED, QUEUE_BYTES
from events.requests import body_too_large, check_length, read_options, scope_missing
from events.services import ingest_events, policy_of
from events.submissions import Verdicts
from events.websocket.limits import SOCKET_PATH
from events.writer import LoopDelivery, close_writers, get_writer
from telemetry.request_ids import request_id

EVENTS_PATH: Final = "/api/v1/events"
LIMITS_PATH: Final = "/api/v1/limits"
BODY_SECONDS: Final = 20.0
VERDICT_SECONDS: Final = 25.0
READING_BYTES: Final = 2 * QUEUE_BYTES
LARGE_BYTES: Final = 1024 * 1024
# How long decoding may keep the writer's thread waiting: at Python's 5 ms the database idles between statements
# of a flush, which costs 15 to 45 % of the batch rate (docs/decisions/0002).
SWITCH_SECONDS: Final = 0.0005

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

log = structlog.get_logger(__name__)
_permissions_of: Final = lru_cache(maxsize=64)(key_permissions)


class Gateway:
    """Answers the ingest paths and the process's own health; all else goes to `inner`, or is not found."""

    def __init__(self, inner: ASGIApp | None = None) -> None:
        self._inner = inner
        self._keys: KeyCache | None = None
        self._delivery: LoopDelivery | None = None
        self._reading = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == EVENTS_PATH and scope["method"] == "POST":
            await self._post_events(scope, receive, send)
        elif takes_upload(scope):
            await _send_answer(send, *await upload_answer(scope, receive, self._authenticate))
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket" and scope["path"] == SOCKET_PATH:
            await IngestConsumer(keys=self._key_cache(), delivery=self._loop_delivery())(scope, receive, send)
        elif self._inner is not None:
            await self._inner(scope, receive, send)
        elif scope["type"] == "http":
            await _send_answer(send, _own_answer(scope), request_id(None))
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _post_events(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = time.monotonic()
        headers = _headers_of(scope)
        identifier = request_id(headers.get("x-request-id"))
        try:
            answer = await self._answer(scope, headers, receive, identifier, arrived)
        except InvalidKey as error:
            answer = problem(401, "invalid_key", str(error), identifier)
        except KeysUnavailable as error:
            answer = problem(503, "keys_unavailable", str(error), identifier, retry_after=1)
        except _ClientGone:
            return
        except Exception:  # the process boundary: the client learns an id, never a stack trace
            log.exception("request_failed", request_id=identifier)
            answer = problem(
                500, "internal_error", "The server failed. Send it again with the same ids.", identifier
            )
        await _send_answer(send, answer, identifier)

    async def _answer(
        self, scope: Scope, headers: dict[str, str], receive: Receive, identifier: str, arrived: float
    ) -> Answer:
        identity = await self._authenticate(headers)
        try:
            answer = await self._ingest(identity, scope, headers, receive, identifier, arrived)
        except IngestError as error:
            return refusal_answer(error, identifier, identity)
        return answer if identity.limits is None else with_limits(answer, identity)

    async def _ingest(
        self,
        identity: KeyIdentity,
        scope: Scope,
        headers: dict[str, str],
        receive: Receive,
        identifier: str,
        arrived: float,
    ) -> Answer:
        if "events.write" not in _permissions_of(identity.scopes):
            raise scope_missing()
        if identity.limits is not None:
            await admit(identity, peer=peer_of(scope), forwarded_for=forwarded_for(scope["headers"]))
        policy = await policy_of(identity)
        options = read_options(headers, scope["query_string"].decode("latin-1"))
        check_length(headers.get("content-length"))
        body = await self._read_body(receive)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Verdicts] = loop.create_future()
        ingest = partial(
            ingest_events,
            identity=identity,
            body=body,
            options=options,
            policy=policy,
            request_id=identifier,
            arrived=arrived,
            deliver=self._loop_delivery().deliver_to(future),
        )
        if len(body) > LARGE_BYTES or options.encoding:
            await asyncio.to_thread(ingest)  # decoding it would keep every other request waiting
        else:
            ingest()
        try:
            async with asyncio.timeout(VERDICT_SECONDS):
                verdicts = await future
        except TimeoutError:
            raise OutcomeUnknown(
                "The database did not answer in time; send it again with the same ids."
            ) from None
        return verdict_answer(verdicts, identifier, dry_run=options.dry_run)

    async def _authenticate(self, headers: dict[str, str]) -> KeyIdentity:
        keys = self._key_cache()
        key = bearer(headers.get("authorization", "").encode("latin-1"))
        return await resolve_key(keys, key)

    def _key_cache(self) -> KeyCache:
        if self._keys is None:
            self._keys = KeyCache(conninfo=conninfo)
        return self._keys

    def _loop_delivery(self) -> LoopDelivery:
        if self._delivery is None:
            self._delivery = LoopDelivery(asyncio.get_running_loop())
        return self._delivery

    async def _read_body(self, receive: Receive) -> bytes:
        """The whole body, within its limits in bytes and time, and within what this process may hold."""
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _ClientGone
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    self._reading += len(chunk)
                    if size > MAX_BODY_BYTES:
                        raise body_too_large()
                    if self._reading > READING_BYTES:
                        raise Overloaded("Too many large bodies are arriving at once; send it again.")
                    chunks.append(chunk)
                    if not message.get("more_body"):
                        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        except TimeoutError:
            raise RequestRefused(
                408, "body_timeout", f"The body did not arrive within {BODY_SECONDS:.0f} s."
            ) from None
        finally:
            self._reading -= size

    async def _live(self, receive: Receive, send: Send) -> None:
        """ASGI lifespan: on shutdown, commit and answer what waits."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                sys.setswitchinterval(SWITCH_SECONDS)
                get_writer("default")
                # What start-up made lives as long as the process: no collection need walk it again.
                gc.collect()
                gc.freeze()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(close_writers)
                await asyncio.to_thread(drops.close)
                if self._keys is not None:
                    await self._keys.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _headers_of(scope: Scope) -> dict[str, str]:
    """By lower-case name; what stands several times is one list (RFC 9110, 5.3), as Django has it."""
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    headers = dict(pairs)
    if len(headers) < len(pairs):
        headers = {name: ",".join(value for other, value in pairs if other == name) for name in headers}
    return headers


class _ClientGone(Exception):
    """The client left before its body was whole: nobody to answer, nothing was stored."""


def _own_answer(scope: Scope) -> Answer:
    """Paths of a process that serves ingest alone."""
    if scope["path"] == "/health/live":
        return Answer(200, JSON, b'{"status":"ok"}')
    if scope["path"] == "/health/ready":
        writer = get_writer("default")
        if writer.healthy:
            return Answer(200, JSON, b'{"status":"ok"}')
        if writer.ready:
            return Answer(200, JSON, b'{"status":"ok","durability":"spooled"}')
        return problem(503, "not_ready", "The database does not answer.", request_id(None), retry_after=1)
    if scope["path"] == LIMITS_PATH and scope["method"] == "GET":
        return Answer(200, JSON, msgspec.json.encode(PUBLISHED))
    if scope["path"] == EVENTS_PATH:
        return problem(405, "method_not_allowed", "Send events with POST.", request_id(None))
    return problem(404, "not_found", "This process takes events only: POST /api/v1/events.", request_id(None))


async def _send_answer(send: Send, answer: Answer, identifier: str) -> None:
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", b"%d" % len(answer.body)),
        (b"x-request-id", identifier.encode()),
    ]
    headers += _extra_headers(answer)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _extra_headers(answer: Answer) -> Iterable[tuple[bytes, bytes]]:
    for name, value in answer.headers:
        yield name.lower().encode(), value.encode()
    if answer.retry_after is not None:
        yield b"retry-after", b"%d" % answer.retry_after
    if answer.replayed:
        yield b"idempotent-replayed", b"true"
    if answer.status == 401:
        yield b"www-authenticate", b'Bearer realm="streamgauge"'
    if answer.status in {408, 413}:
        yield b"connection", b"close"  # what is left of the body would be read for nothing
