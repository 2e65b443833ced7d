"""What the OpenAPI document says of a CloudEvent."""

from typing import Any, Final

from events.limits import MAX_EVENTS, MAX_ID, MAX_TEXT, MAX_TYPE

_TEXT: Final = {"type": "string", "minLength": 1}
_FIELD: Final = _TEXT | {"maxLength": MAX_TEXT}
CLOUDEVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"type": "string", "enum": ["1.0"]},
        "id": {**_TEXT, "maxLength": MAX_ID},
        "source": _FIELD,
        "type": {"type": "string", "maxLength": MAX_TYPE, "pattern": "^[A-Za-z0-9._:/-]+$"},
        "subject": _FIELD,
        "time": {"type": "string", "format": "date-time", "description": "RFC 3339, with a zone. Default: now."},
        "datacontenttype": _TEXT,
        "dataschema": _TEXT,
        "partitionkey": {**_FIELD, "description": "Events with one key stay in order."},
        "value": {"description": "A number, or one as text: what series and windows calculate with."},
        "data": {"description": "Any JSON value."},
        "data_base64": {"type": "string", "format": "byte", "description": "Instead of data."},
    },
    "additionalProperties": {"description": "Extension attributes: strings, numbers or booleans."},
}  # fmt: skip
BATCH: Final[dict[str, Any]] = {"type": "array", "items": CLOUDEVENT, "maxItems": MAX_EVENTS}
