"""What the OpenAPI document says of ingest, where a serializer could not."""

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from events.limits import MAX_EVENTS, MAX_ID, MAX_TEXT, MAX_TYPE
from events.protocols.registry import BODIES

_TEXT: Final = {"type": "string", "maxLength": MAX_TEXT}
EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "maxLength": MAX_TYPE, "pattern": "^[A-Za-z0-9._:/-]+$"},
        "id": {"type": "string", "minLength": 1, "maxLength": MAX_ID, "description": "Makes a retry a duplicate."},
        "source": _TEXT,
        "subject": _TEXT,
        "key": {**_TEXT, "description": "Partition key: events with one key stay in order."},
        "time": {"type": "string", "format": "date-time", "description": "RFC 3339, with a zone. Default: now."},
        "value": {"type": "number"},
        "data": {"type": "object", "additionalProperties": True},
    },
}  # fmt: skip
_ERROR: Final = {
    "type": "object",
    "properties": {
        "index": {"type": "integer"},
        "id": {"type": "string", "nullable": True},
        "code": {"type": "string"},
        "pointer": {"type": "string"},
        "message": {"type": "string"},
        "retryable": {"type": "boolean"},
    },
}
VERDICTS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "accepted": {"type": "integer"},
        "duplicates": {"type": "integer", "nullable": True, "description": "null: spooled, so not known yet"},
        "rejected": {"type": "integer"},
        "ids": {"type": "array", "items": {"type": "string", "nullable": True}},
        "errors": {"type": "array", "items": _ERROR},
        "durability": {"type": "string", "enum": ["spooled"]},
    },
}
PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": _ERROR},
    },
}
_REFUSALS: Final = {
    400: "Malformed",
    401: "No key, or a bad one",
    403: "A key without the scope ingest, or used from an address that it may not be used from",
    408: "Too slow a body",
    409: "A request with this Idempotency-Key is being stored",
    413: "Too many bytes or events",
    415: "Unsupported type, charset or encoding",
    422: "Each event was refused",
    429: "A limit of the key or its project: nothing was stored; send again after Retry-After",
    503: "Overloaded, or the outcome is unknown: send again after Retry-After with the same ids",
}

describes_ingest = extend_schema(
    operation_id="ingest_events",
    summary="Send events",
    description="Answers after COMMIT, with a verdict for each event. CloudEvents in HTTP's binary mode are told by"
    " their `ce-` headers; the body may then be anything.",
    parameters=[
        OpenApiParameter("on_error", str, enum=["store", "reject"], description="reject: all or nothing"),
        OpenApiParameter("dry_run", OpenApiTypes.BOOL, description="validate only"),
        OpenApiParameter(
            "Idempotency-Key",
            {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            OpenApiParameter.HEADER,
            description="The same key and body within a day is answered as the first was, and stored once.",
        ),
    ],
    request={
        "application/json": {
            "oneOf": [EVENT, {"type": "array", "items": EVENT, "minItems": 1, "maxItems": MAX_EVENTS}]
        },
        "application/x-ndjson": {"type": "string"},
        **BODIES,
    },
    responses={
        200: OpenApiResponse(VERDICTS, "Every event is stored, or was"),
        202: OpenApiResponse(
            VERDICTS, "The database is away: kept on the server's disk, and stored when it is back"
        ),
        207: OpenApiResponse(VERDICTS, "Some events were refused; the others are stored"),
        **{
            (status, "application/problem+json"): OpenApiResponse(PROBLEM, text)
            for status, text in _REFUSALS.items()
        },
    },
)


# What any path may answer beside what it documents itself.
_ANYWHERE: Final = {
    400: "Malformed", 401: "No key or session, or a bad one", 403: "The key or person may not do this",
    404: "Not there, or not for this key or person", 405: "The path has no such method",
    406: "No such representation", 409: "Not in this state", 413: "Too large", 415: "Unsupported type",
    422: "Refused; errors name the fields", 429: "A limit; send again after Retry-After",
    503: "The database does not answer; send again after Retry-After",
}  # fmt: skip
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})


def document_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """For POSTPROCESSING_HOOKS: every error is a problem document, whichever path it comes from."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in result["paths"].values():
        for operation in (path[method] for method in path.keys() & _METHODS):
            for status, text in _ANYWHERE.items():
                operation["responses"].setdefault(str(status), {"description": text, "content": content})
    return result


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the document names our key authentication; registered by being defined."""

    target_class = "accounts.authentication.ApiKeyAuthentication"
    name = "apiKey"
    scope = ""

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": f"An API key, sg_…{self.scope}"}


class IngestKeyScheme(ApiKeyScheme):  # type: ignore[no-untyped-call]
    """The same at the door of ingest."""

    target_class = "events.ingest_keys.IngestKeyAuthentication"
    name = "ingestKey"
    scope = ", with the scope ingest"
