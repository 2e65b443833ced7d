"""Reads of schemas: what a project has, what they caught lately, and the stored events to try them on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import starmap
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import OperationalError, connections, transaction
from django.db.models import QuerySet
from django.utils import timezone

from events.errors import Overloaded
from events.queries import fetch, query
from events.schemas.models import EventSchema, SchemaVersion

LATELY: Final = timedelta(hours=24)
SAMPLE: Final = 1_000
MAX_SAMPLE: Final = 10_000
SAMPLE_SECONDS: Final = 5
_CAUGHT = query("schema_caught")
_SAMPLE = query("schema_sample")


@dataclass(frozen=True, slots=True)
class Caught:
    """Of one type in the last 24 hours: events stored with a warning, events refused, and the last warning."""

    type: str
    warnings: int
    refused: int
    pointer: str
    message: str
    minute: datetime | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A stored event as schemas see it; `data` is its JSON text, b"" when it has none."""

    uid: UUID
    id: str
    time: datetime
    data: bytes


def list_schemas(*, project_id: int) -> QuerySet[EventSchema]:
    """A project's schemas by type."""
    return EventSchema.objects.filter(project_id=project_id)


def list_versions(*, schema: EventSchema) -> QuerySet[SchemaVersion]:
    """Newest first."""
    return schema.versions.select_related("created_by")


def select_caught(*, project_id: int, using: str = "default") -> dict[str, Caught]:
    """What schemas caught lately, by type. One statement."""
    parameters = {"project_id": project_id, "since": timezone.now() - LATELY}
    return {row[0]: Caught(*row) for row in fetch(using, _CAUGHT, parameters)}


def select_types(*, project_id: int, using: str = "default") -> list[str]:
    """Types that arrived lately, busiest first, to offer a schema for."""
    statement = (
        "SELECT type FROM ingest_count WHERE project_id = %(project_id)s AND accepted > 0"
        " AND second > %(since)s GROUP BY type ORDER BY sum(accepted) DESC, type LIMIT 100"
    )
    parameters = {"project_id": project_id, "since": timezone.now() - LATELY}
    return [event_type for (event_type,) in fetch(using, statement, parameters)]


def select_stored(
    *, project_id: int, event_type: str, last: int = SAMPLE, using: str = "default"
) -> list[StoredEvent]:
    """The last stored events of a type by event time, newest first.

    Raises Overloaded when they are not found within SAMPLE_SECONDS, as among very many others.
    """
    parameters = {"project_id": project_id, "type": event_type, "last": min(last, MAX_SAMPLE)}
    try:
        with transaction.atomic(using=using):
            with connections[using].cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = '{SAMPLE_SECONDS}s'")
            rows = fetch(using, _SAMPLE, parameters)
    except OperationalError as error:
        raise Overloaded(
            f"Stored events of {event_type} were not found within {SAMPLE_SECONDS} s; ask for fewer of them."
        ) from error
    return list(starmap(_stored, rows))


def _stored(uid: UUID, event_id: str, time: datetime, data: str | None) -> StoredEvent:
    return StoredEvent(uid, event_id, time, (data or "").encode())


def documents_of(events: Sequence[StoredEvent]) -> list[dict[str, Any]]:
    """Their data, decoded; {} for those without."""
    return [msgspec.json.decode(event.data) if event.data else {} for event in events]
