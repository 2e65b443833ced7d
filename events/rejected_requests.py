"""What requests to /api/v1/rejected ask for."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Final, TypeVar
from uuid import UUID

import msgspec
from django.utils.dateparse import parse_datetime
from msgspec import Meta
from rest_framework import exceptions
from rest_framework.request import Request

from events.limits import MAX_BODY_BYTES
from events.quarantine import selectors
from events.quarantine.patches import Step
from events.quarantine.rows import STATES, Selection

MOST_IDS: Final = 500
_PARAMETERS: Final = ("type", "code", "state", "bulk", "from", "to")
_Text = Annotated[str, Meta(max_length=MAX_BODY_BYTES)]
Body = TypeVar("Body", bound=msgspec.Struct)


class TextBody(msgspec.Struct, forbid_unknown_fields=True):
    """A corrected text; `id` names the refused event it is for."""

    text: _Text | None = None
    id: UUID | None = None


class FilterBody(msgspec.Struct, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """The list's parameters, in a body."""

    type: Annotated[str, Meta(max_length=200)] | None = None
    code: Annotated[str, Meta(max_length=100)] | None = None
    bulk: UUID | None = None
    start: Annotated[datetime, Meta(tz=True)] | None = None
    end: Annotated[datetime, Meta(tz=True)] | None = None


class BulkBody(msgspec.Struct, forbid_unknown_fields=True):
    """Which: by `ids` or by `filter` ({} for all). `patch` is for replays."""

    ids: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=MOST_IDS)] | None = None
    filter: FilterBody | None = None
    patch: tuple[Step, ...] = ()


def read_selection(parameters: Mapping[str, str], *, extra: Iterable[str] = ()) -> Selection:
    """From query parameters. Raises ValidationError naming the one that is not right."""
    if unknown := parameters.keys() - {*_PARAMETERS, *extra}:
        known = ", ".join((*_PARAMETERS, *extra))
        raise exceptions.ValidationError({min(unknown): [f"Not a parameter; known: {known}."]})
    given = {name: parameters[name] for name in _PARAMETERS if parameters.get(name)}
    if bad := [name for name, value in given.items() if "\0" in value or len(value) > 200]:
        raise exceptions.ValidationError({bad[0]: ["At most 200 characters, without U+0000."]})
    state = given.get("state")
    if state is not None and state not in STATES:
        raise exceptions.ValidationError({"state": [f"One of {', '.join(STATES)}."]})
    return Selection(
        state=state,
        type=given.get("type"),
        code=given.get("code"),
        start=_moment(given, "from"),
        end=_moment(given, "to"),
        bulk=_uuid(given, "bulk"),
    )


def read_body(request: Request, kind: type[Body]) -> Body:
    """The request's JSON; an empty body is one without members. Raises ValidationError, UnsupportedMediaType."""
    if request.content_type and request.content_type.partition(";")[0].strip() != "application/json":
        raise exceptions.UnsupportedMediaType(request.content_type)
    body = request._request.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise exceptions.ValidationError(f"The body has more than {MAX_BODY_BYTES} bytes; send less at once.")
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise exceptions.ValidationError(f"The body is not right: {error}.") from error


def selection_of(body: BulkBody) -> Selection:
    if body.filter is None:
        return Selection(ids=body.ids)
    chosen = body.filter
    for name, value in (("type", chosen.type), ("code", chosen.code)):
        if value is not None and "\0" in value:
            raise exceptions.ValidationError({name: ["U+0000 is in no event's."]})
    return Selection(type=chosen.type, code=chosen.code, start=chosen.start, end=chosen.end, bulk=chosen.bulk)


def read_limit(text: str | None) -> int:
    if text is None:
        return selectors.PAGE
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= selectors.LARGEST_PAGE:
        return int(text)
    raise exceptions.ValidationError({"limit": [f"A whole number from 1 to {selectors.LARGEST_PAGE}."]})


def _moment(given: dict[str, str], name: str) -> datetime | None:
    if name not in given:
        return None
    try:
        moment = parse_datetime(given[name])
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise exceptions.ValidationError({name: ["Give an RFC 3339 time with a zone."]})
    return moment


def _uuid(given: dict[str, str], name: str) -> UUID | None:
    if name not in given:
        return None
    try:
        return UUID(given[name])
    except ValueError:
        raise exceptions.ValidationError({name: ["Not a UUID."]}) from None
