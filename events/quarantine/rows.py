"""What the quarantine speaks of: a refused event, which of them are meant, and what became of a replay. Plain data."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args
from uuid import UUID

import msgspec

from events.errors import InvalidEvent

State = Literal["waiting", "replaying", "replayed", "discarded"]
Action = Literal["replay", "discard", "restore"]
STATES: Final[tuple[State, ...]] = get_args(State)
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
# A replay answers or gives up well within this. A row claimed for longer has lost its owner.
STALE: Final = timedelta(seconds=60)


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which refused events of a project: all that fit every part which is given. Received in [start, end)."""

    state: State | None = None
    type: str | None = None
    code: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    bulk: UUID | None = None
    ids: tuple[UUID, ...] | None = None

    def parameters(self, project_id: int) -> dict[str, object]:
        """For sql/rejected_matching.sql."""
        ids = None if self.ids is None else list(self.ids)
        return {"project_id": project_id, **msgspec.structs.asdict(self), "ids": ids}


@dataclass(frozen=True, slots=True)
class Listed:
    """A refused event in a list. `uid` is the stored event's, once it is replayed."""

    id: UUID
    received_at: datetime
    type: str
    code: str
    pointer: str
    message: str
    state: State
    attempts: int
    request_id: str
    key_id: int | None
    position: int
    uid: UUID | None
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Detailed(Listed):
    """A refused event with its bytes: as they came, and as they were tried last, if that differs."""

    raw: bytes
    corrected: bytes | None

    @property
    def text(self) -> bytes:
        return self.raw if self.corrected is None else self.corrected


@dataclass(frozen=True, slots=True)
class Group:
    """Refused events of one type and code, and when the newest came."""

    type: str
    code: str
    count: int
    newest: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A refused event about to be judged: `text` is what would be stored in its place."""

    id: UUID
    received_at: datetime
    key_id: int | None
    state: State
    text: bytes


@dataclass(frozen=True, slots=True)
class Sound:
    """A text that would be stored, and as which event."""

    type: str
    uid: UUID
    time: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A text that would not be stored; `type` as far as it could be made out."""

    type: str
    error: InvalidEvent


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one replay.

    `replayed`: the event is stored, once, as `uid`. `rejected`: refused again, because of `error`. `busy`: somebody is
    replaying another text of it, or has. `discarded`: restore it first. `unsettled`: the database did not say; repeat
    it.
    """

    id: UUID
    result: Literal["replayed", "rejected", "busy", "discarded", "unsettled"]
    uid: UUID | None = None
    error: InvalidEvent | None = None
