"""POST /api/v1/imports with a key, as bare ASGI: the file goes to disk while it arrives, whatever its size."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
import structlog
from django.db import Error as DatabaseError
from django.db import close_old_connections

from accounts.errors import InvalidKey, KeysUnavailable
from accounts.identity import KeyIdentity, KeyPrincipal
from accounts.roles import key_permissions
from events.answers import JSON, Answer, error_answer, problem
from events.errors import IngestError, Overloaded, RequestRefused
from events.imports.describing import describe_import, describe_preview
from events.imports.files import Received, Receiving
from events.imports.previewing import preview_import
from events.imports.requests import UploadOptions, read_upload_options
from events.imports.services import create_import
from telemetry.request_ids import request_id

IMPORTS_PATH: Final = "/api/v1/imports"
IDLE_SECONDS: Final = 20.0
PIECE: Final = 1024 * 1024
AT_ONCE: Final = 16

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Authenticate = Callable[[dict[str, str]], Awaitable[KeyIdentity]]

log = structlog.get_logger(__name__)
_encode: Final = msgspec.json.Encoder().encode
_open_uploads: set[Receiving] = set()


def takes_upload(scope: Scope) -> bool:
    """A program's upload; forms and people signed in are left to Django."""
    if scope["type"] != "http" or scope["path"] != IMPORTS_PATH or scope["method"] != "POST":
        return False
    headers = dict(scope["headers"])
    return b"authorization" in headers and not headers.get(b"content-type", b"").startswith(b"multipart/")


async def upload_answer(scope: Scope, receive: Receive, authenticate: Authenticate) -> tuple[Answer, str]:
    """The answer and the request's id. Never raises."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    identifier = request_id(headers.get("x-request-id"))
    try:
        return await _upload(scope, headers, receive, authenticate, identifier), identifier
    except IngestError as error:
        return error_answer(error, identifier), identifier
    except InvalidKey as error:
        return problem(401, "invalid_key", str(error), identifier), identifier
    except KeysUnavailable as error:
        return problem(503, "keys_unavailable", str(error), identifier, retry_after=1), identifier
    except Exception:  # the process boundary: the client learns an id, never a stack trace
        log.exception("upload_failed", request_id=identifier)
        return problem(500, "internal_error", "The server failed. Upload it again.", identifier), identifier


async def _upload(
    scope: Scope, headers: dict[str, str], receive: Receive, authenticate: Authenticate, identifier: str
) -> Answer:
    identity = await authenticate(headers)
    if "imports.run" not in key_permissions(identity.scopes):
        detail = "This key may not import; use one with the scope ingest or manage."
        return problem(403, "permission_denied", detail, identifier)
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    parameters = {name: values[-1] for name, values in query.items()}
    options = read_upload_options(parameters)
    if parameters.get("project", identity.project_slug) != identity.project_slug:
        return problem(403, "wrong_project", "This key belongs to another project.", identifier)
    received = await _receive_file(receive, headers.get("content-length", ""))
    document = await asyncio.to_thread(_create, received, identity, options, headers.get("content-type", ""))
    return Answer(201, JSON, document)


async def _receive_file(receive: Receive, length: str) -> Received:
    """In pieces, by threads: a slow disk must not keep other requests waiting."""
    if len(_open_uploads) >= AT_ONCE:
        raise Overloaded("Too many files are arriving at once; upload it again.", retry_after=5)
    upload = await asyncio.to_thread(Receiving)
    _open_uploads.add(upload)
    try:
        if length.isdecimal():
            upload.guard.expect(int(length))
        await _write_body(receive, upload)
        return await asyncio.to_thread(upload.finish)
    except BaseException:
        upload.abandon()
        raise
    finally:
        _open_uploads.discard(upload)


async def _write_body(receive: Receive, upload: Receiving) -> None:
    waiting = bytearray()
    more = True
    while more:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await receive()
        except TimeoutError:
            raise RequestRefused(
                408, "body_timeout", f"Nothing of the file arrived for {IDLE_SECONDS:.0f} s."
            ) from None
        if message["type"] == "http.disconnect":
            raise RequestRefused(400, "broken_body", "The file did not arrive whole; upload it again.")
        waiting += message.get("body", b"")
        more = message.get("more_body", False)
        if len(waiting) >= PIECE or not more:
            await asyncio.to_thread(upload.write, bytes(waiting))
            waiting.clear()


def _create(received: Received, identity: KeyIdentity, options: UploadOptions, content_type: str) -> bytes:
    close_old_connections()
    try:
        job = create_import(
            received=received,
            project_id=identity.project_id,
            created_by=str(KeyPrincipal(identity)),
            key_id=identity.key_id,
            name=options.name,
            content_type=content_type,
            file_format=options.file_format,
            mapping=options.mapping,
            start=not options.preview,
        )
        document: dict[str, Any] = {**describe_import(job)}
        if options.preview:
            document["preview"] = describe_preview(preview_import(job))
        return _encode(document)
    except DatabaseError as error:
        raise Overloaded("The database is not answering; upload it again.", retry_after=2) from error
    finally:
        with suppress(DatabaseError):
            close_old_connections()
