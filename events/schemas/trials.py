"""Dry runs: how many of the last stored events a schema would refuse."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from events.schemas.compiling import compile_schema
from events.schemas.selectors import SAMPLE, select_stored

EXAMPLES: Final = 10


@dataclass(frozen=True, slots=True)
class Failure:
    """A stored event that would be refused, and why."""

    uid: UUID
    id: str
    time: datetime
    pointer: str
    message: str


@dataclass(frozen=True, slots=True)
class Trial:
    """`checked` events were tried, the oldest of time `since`; `failing` would be refused, `examples` first."""

    checked: int
    failing: int
    since: datetime | None
    examples: list[Failure]


def try_schema(*, project_id: int, event_type: str, text: str, last: int = SAMPLE) -> Trial:
    """Validate the last stored events of a type. Raises SchemaInvalid, Overloaded."""
    validator = compile_schema(text)
    events = select_stored(project_id=project_id, event_type=event_type, last=last)
    failing = 0
    examples: list[Failure] = []
    for event in events:
        if violation := validator.first_violation(event.data):
            failing += 1
            if len(examples) < EXAMPLES:
                examples.append(
                    Failure(event.uid, event.id, event.time, violation.pointer, violation.message)
                )
    return Trial(len(events), failing, events[-1].time if events else None, examples)
