"""What the OpenAPI document says of /api/v1/rejected."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from events.openapi import PROBLEM
from events.quarantine.rows import STATES

_TEXT: Final = {"type": "string"}
_MOMENT: Final = {"type": "string", "format": "date-time"}
_UUID: Final = {"type": "string", "format": "uuid"}
_COUNT: Final = {"type": "integer", "minimum": 0}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "nullable": True}


def _list(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


_BYTES: Final = _object(text=_TEXT, base64=_TEXT)
_ERROR: Final = _object(code=_TEXT, pointer=_TEXT, message=_TEXT)
_LISTED: Final = {
    "id": _UUID, "received_at": _MOMENT, "type": _TEXT, "code": _TEXT, "pointer": _TEXT, "message": _TEXT,
    "state": {"type": "string", "enum": list(STATES)}, "attempts": _COUNT, "request_id": _TEXT,
    "key_id": _nullable({"type": "integer"}), "position": _COUNT, "uid": _nullable(_UUID),
    "changed_at": _nullable(_MOMENT),
}  # fmt: skip
_DETAILED: Final = _object(**_LISTED, raw=_BYTES, corrected=_nullable(_BYTES))
_GROUP: Final = _object(type=_TEXT, code=_TEXT, count=_COUNT, newest=_MOMENT)
_REPLAYED: Final = _object(
    id=_UUID,
    result={"type": "string", "enum": ["replayed", "rejected", "unsettled"]},
    uid=_nullable(_UUID),
    error=_nullable(_ERROR),
)
_PROGRESS: Final = _object(
    bulk=_UUID, action=_TEXT, state={"type": "string", "enum": ["running", "finished"]}, total=_COUNT, treated=_COUNT,
    waiting=_COUNT, replayed=_COUNT, discarded=_COUNT, created_by=_TEXT, created_at=_MOMENT,
    finished_at=_nullable(_MOMENT),
)  # fmt: skip
_STEP: Final = {
    "type": "object",
    "required": ["op", "pointer"],
    "properties": {
        "op": {"type": "string", "enum": ["set", "remove"]},
        "pointer": {"type": "string", "description": "/name, or /data/name"},
        "value": {},
    },
}
_FILTER: Final = _object(**{"type": _TEXT, "code": _TEXT, "bulk": _UUID, "from": _MOMENT, "to": _MOMENT})
_REFUSALS: Final = {
    400: "A parameter or the body is not right", 401: "No key, or a bad one", 403: "A key or a role without the right",
    404: "No such project, refused event or bulk",
}  # fmt: skip

_project: Final = OpenApiParameter(
    "project", str, description="For people in several projects; a key has its own."
)
_filters: Final = [
    _project,
    OpenApiParameter("type", str, description="The event type, exactly"),
    OpenApiParameter("code", str, description="Why it was refused: see the codes of an event"),
    OpenApiParameter("state", str, enum=list(STATES)),
    OpenApiParameter("bulk", OpenApiTypes.UUID, description="Those that this bulk treated last"),
    OpenApiParameter("from", OpenApiTypes.DATETIME, description="Received at this time or later"),
    OpenApiParameter("to", OpenApiTypes.DATETIME, description="Received before"),
]


def _problems(**more: str) -> dict[Any, Any]:
    texts = _REFUSALS | {int(status.removeprefix("s")): text for status, text in more.items()}
    return {
        (status, "application/problem+json"): OpenApiResponse(PROBLEM, text) for status, text in texts.items()
    }


_CONFLICT: Final = "Its state does not allow it; `detail` says what to do first"
_AWAY: Final = "The database does not answer: repeat it after Retry-After"

describes_list = extend_schema(
    operation_id="rejected_list",
    summary="List refused events",
    parameters=[
        *_filters,
        OpenApiParameter("cursor", str, description="`next` of the page before"),
        OpenApiParameter("limit", int, description="At most 200"),
    ],
    responses={200: _object(items=_list(_object(**_LISTED)), next=_nullable(_TEXT)), **_problems()},
)
describes_groups = extend_schema(
    operation_id="rejected_groups",
    summary="Count refused events by type and code",
    parameters=_filters,
    responses={200: _object(groups=_list(_GROUP)), **_problems()},
)
describes_download = extend_schema(
    operation_id="rejected_download",
    summary="Download refused events with their bytes, one a line",
    parameters=_filters,
    responses={(200, "application/x-ndjson"): OpenApiTypes.STR, **_problems()},
)
describes_one = extend_schema(
    operation_id="rejected_get",
    summary="A refused event with its bytes",
    parameters=[_project],
    responses={200: _DETAILED, **_problems()},
)
describes_validate = extend_schema(
    operation_id="rejected_validate",
    summary="What would become of a text",
    description="Stores nothing. `id` names the refused event whose sender's rules count.",
    parameters=[_project],
    request={"application/json": {**_object(text=_TEXT, id=_UUID), "required": ["text"]}},
    responses={
        200: _object(valid={"type": "boolean"}, error=_nullable(_ERROR), uid=_nullable(_UUID)),
        **_problems(s415="Send application/json", s503=_AWAY),
    },
)
describes_replay = extend_schema(
    operation_id="rejected_replay",
    summary="Store a refused event, corrected or as it is",
    description="Idempotent: however often it is repeated, the event is stored once.",
    parameters=[_project],
    request={"application/json": _object(text=_TEXT)},
    responses={
        200: OpenApiResponse(_REPLAYED, "It is stored"),
        202: OpenApiResponse(_REPLAYED, "The database did not say yet: repeat it, or wait a minute"),
        422: OpenApiResponse(_REPLAYED, "It was refused again, and waits with the new reason"),
        **_problems(s409=_CONFLICT, s415="Send application/json", s503=_AWAY),
    },
)
describes_bulk = extend_schema(
    summary="The same for many refused events",
    parameters=[_project],
    request={
        "application/json": _object(ids=_list(_UUID), filter=_FILTER, patch={"type": "array", "items": _STEP})
    },
    responses={
        200: OpenApiResponse(_PROGRESS, "Done"),
        202: OpenApiResponse(_PROGRESS, "Begun; workers go on with it"),
        **_problems(s409="Too many are at work already", s415="Send application/json"),
    },
)
describes_progress = extend_schema(
    operation_id="rejected_bulk",
    summary="How far a bulk is",
    parameters=[_project],
    responses={200: _PROGRESS, **_problems()},
)
