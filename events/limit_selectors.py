"""Reads of limits: what a project and its keys may send, what they sent today, and what was dropped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from accounts.allowances import Allowance
from accounts.models import ApiKey, Project
from events.queries import fetch, query
from events.usage import NO_KEY, select_usage

RECENT: Final = timedelta(minutes=15)
WINDOW: Final = timedelta(hours=24)
MAX_KEYS: Final = 200
MAX_DROPS: Final = 100
_DROPS: Final = query("drops")


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A project (`prefix` is empty) or one of its keys, its limits, and the events it stored today (UTC)."""

    name: str
    prefix: str
    allowance: Allowance
    used: int
    types: Sequence[str] = ()
    addresses: Sequence[str] = ()
    expires_at: datetime | None = None

    @property
    def capacity(self) -> int | None:
        return self.allowance.capacity if self.allowance.rate is not None else None


@dataclass(frozen=True, slots=True)
class DropRow:
    """What was dropped for one reason of one key. `key` is its name, or its number when it is gone."""

    reason: str
    key: str
    recent_events: int
    recent_requests: int
    events: int
    requests: int


@dataclass(frozen=True, slots=True)
class LimitsPage:
    """`keys` are those in use, newest first, at most MAX_KEYS; `drops` the MAX_DROPS with most events."""

    project: LimitRow
    keys: list[LimitRow]
    drops: list[DropRow]


def read_limits(project: Project) -> LimitsPage:
    """Everything that the page of limits shows."""
    keys = list(ApiKey.objects.filter(project=project))
    used = select_usage(project_ids=[project.pk]).by_key.get(project.pk, {})
    now = timezone.now()
    active = [key for key in keys if key.state_at(now) == "active"][:MAX_KEYS]
    return LimitsPage(
        LimitRow(project.name, "", project.allowance, sum(used.values())),
        [_key_row(key, used.get(key.pk, 0)) for key in active],
        select_drops(project_id=project.pk, names={key.pk: key.name for key in keys}),
    )


def select_drops(*, project_id: int, names: dict[int, str], using: str = "default") -> list[DropRow]:
    """What was dropped in the last day. `names` are those of the project's keys."""
    parameters = {"project_id": project_id, "recent": RECENT, "window": WINDOW, "limit": MAX_DROPS}
    return [
        DropRow(reason, _name_of(key_id, names), *counts)
        for reason, key_id, *counts in fetch(using, _DROPS, parameters)
    ]


def _key_row(key: ApiKey, used: int) -> LimitRow:
    return LimitRow(
        key.name, key.prefix, key.allowance, used, key.allowed_types, key.allowed_addresses, key.expires_at
    )


def _name_of(key_id: int, names: dict[int, str]) -> str:
    return "" if key_id == NO_KEY else names.get(key_id, f"#{key_id}")
