"""What a request's headers and query ask for, the same at every HTTP door. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qs

from events.decoding import BodyFormat, Opener
from events.errors import RequestRefused
from events.limits import MAX_BODY_BYTES
from events.media_types import require_utf8, split_content_type
from events.protocols.registry import BODIES, find_opener

_FORMATS: Final[dict[str, BodyFormat]] = {"application/json": "json", "application/x-ndjson": "ndjson"}
_PARAMETERS: Final = frozenset({"on_error", "dry_run"})
_is_idempotency_key: Final = re.compile(r"[\x21-\x7e]{1,255}").fullmatch
_TRUE: Final = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How to read a request and what to do with events that are refused.

    `body_format` is one of ours, or how another protocol opens the body.
    """

    body_format: BodyFormat | Opener
    encoding: str
    on_error: Literal["store", "reject"]
    dry_run: bool
    idempotency_key: str = ""


def read_options(headers: Mapping[str, str], query: str) -> IngestOptions:
    """From lower-case headers and the query string. Raises RequestRefused (400, 415)."""
    body_format = _body_format(headers)
    encoding = headers.get("content-encoding", "").strip().lower()
    key = _idempotency_key(headers.get("idempotency-key"))
    if not query:
        return IngestOptions(body_format, encoding, "store", False, key)
    parameters = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    if unknown := parameters.keys() - _PARAMETERS:
        raise RequestRefused(
            400,
            "invalid_parameter",
            f"{min(unknown)!r} is not a parameter; known: {', '.join(sorted(_PARAMETERS))}.",
        )
    on_error = parameters.get("on_error", "store")
    if on_error not in {"store", "reject"}:
        raise RequestRefused(400, "invalid_parameter", f"on_error must be store or reject, not {on_error!r}.")
    dry_run = _TRUE.get(parameters.get("dry_run", "0"))
    if dry_run is None:
        raise RequestRefused(
            400, "invalid_parameter", f"dry_run must be 1 or 0, not {parameters['dry_run']!r}."
        )
    return IngestOptions(body_format, encoding, "reject" if on_error == "reject" else "store", dry_run, key)


def _idempotency_key(text: str | None) -> str:
    if text is None:
        return ""
    if not _is_idempotency_key(text):
        raise RequestRefused(
            400,
            "invalid_header",
            "Idempotency-Key must be 1 to 255 visible ASCII characters, without spaces.",
        )
    return text


def _body_format(headers: Mapping[str, str]) -> BodyFormat | Opener:
    media_type, charset = split_content_type(headers.get("content-type", ""))
    opener = find_opener(media_type, headers)
    if opener is not None:
        return opener
    body_format = _FORMATS.get(media_type)
    if body_format is None:
        raise RequestRefused(
            415,
            "unsupported_media_type",
            f"Content-Type {media_type!r} is not supported; use {', '.join((*_FORMATS, *BODIES))}.",
        )
    require_utf8(charset)
    return body_format


def check_length(content_length: str | None) -> None:
    """Refuse a body that announces itself too long. Raises RequestRefused (400, 413)."""
    if content_length is None:
        return
    if not content_length.isdecimal():
        raise RequestRefused(400, "invalid_header", "Content-Length must be a whole number.")
    if int(content_length) > MAX_BODY_BYTES:
        raise body_too_large()


def body_too_large() -> RequestRefused:
    return RequestRefused(
        413, "body_too_large", f"The body has more than {MAX_BODY_BYTES} bytes; send smaller batches."
    )


def scope_missing() -> RequestRefused:
    return RequestRefused(
        403, "scope_missing", "This key may not send events; use one with the scope ingest."
    )
