"""The published limits of ingest: one set, whichever door."""

from typing import Final

MAX_EVENT_BYTES: Final = 256 * 1024
MAX_EVENTS: Final = 5_000
MAX_BODY_BYTES: Final = 10 * 1024 * 1024
MAX_DEPTH: Final = 32
MAX_AHEAD_HOURS: Final = 24

MAX_TYPE: Final = 200
MAX_ID: Final = 256
MAX_TEXT: Final = 1_024  # source, subject and key

# What a process holds while the database works: beyond it the answer is 503 with Retry-After.
QUEUE_EVENTS: Final = 20_000
QUEUE_BYTES: Final = 32 * 1024 * 1024
# A flush is whole requests up to here, or one larger request alone.
FLUSH_EVENTS: Final = 10_000
FLUSH_BYTES: Final = 8 * 1024 * 1024

PUBLISHED: Final = {
    "event_bytes": MAX_EVENT_BYTES,
    "events_per_request": MAX_EVENTS,
    "request_bytes": MAX_BODY_BYTES,
    "request_bytes_decompressed": MAX_BODY_BYTES,
    "json_depth": MAX_DEPTH,
    "time_ahead_hours": MAX_AHEAD_HOURS,
    "type_characters": MAX_TYPE,
    "id_characters": MAX_ID,
    "source_characters": MAX_TEXT,
    "subject_characters": MAX_TEXT,
    "key_characters": MAX_TEXT,
}
