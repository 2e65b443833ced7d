"""A project's schemas from rows: what refuses events, and what only remarks on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from django.db.models import F
from msgspec import UNSET

from events.decoding import Event
from events.errors import InvalidEvent
from events.schemas.compiling import Validator, compile_schema
from events.schemas.errors import SchemaInvalid
from events.schemas.models import EventSchema, SchemaVersion
from events.schemas.violations import Violation
from events.schemas.watching import Warned

Mode = EventSchema.Mode
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Schemas:
    """The validators of a project's types in one mode."""

    validators: Mapping[str, Validator]

    def screen(self, event: Event) -> Event:
        """For Policy.screens: raises InvalidEvent for an event that breaks its schema."""
        if violation := self._violation(event):
            raise InvalidEvent("schema_violation", violation.pointer, violation.message)
        return event

    def watch(self, event: Event) -> Warned | None:
        """For Policy.watcher."""
        violation = self._violation(event)
        return Warned(event.type, violation.pointer, violation.message) if violation else None

    def _violation(self, event: Event) -> Violation | None:
        validator = self.validators.get(event.type)
        if validator is None:
            return None
        return validator.first_violation(b"" if event.data is UNSET else bytes(event.data))


def load_schemas(project_id: int, using: str, mode: str) -> Schemas | None:
    """The current versions of the project's schemas in `mode`; None without any. Raises django.db.Error."""
    rows = SchemaVersion.objects.using(using).filter(
        schema__project_id=project_id, schema__mode=mode, number=F("schema__version")
    )
    validators: dict[str, Validator] = {}
    for event_type, text in rows.values_list("schema__type", "text"):
        try:
            validators[event_type] = compile_schema(text)
        except SchemaInvalid as error:
            # It compiled when it was saved: another version of the library must not stop the project's ingest.
            log.warning("schema_unusable", project=project_id, type=event_type, error=str(error))
    return Schemas(validators) if validators else None


def load_screens(project_id: int, using: str) -> tuple[Callable[[Event], Event], ...]:
    """For events.policies.LOADERS."""
    schemas = load_schemas(project_id, using, Mode.ENFORCE)
    return (schemas.screen,) if schemas else ()


def load_watcher(project_id: int, using: str) -> Callable[[Event], Warned | None] | None:
    """For events.policies: the schemas that only warn."""
    schemas = load_schemas(project_id, using, Mode.WARN)
    return schemas.watch if schemas else None
