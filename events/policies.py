"""What a project asks of its events beyond their form, remembered in each process by version."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from events.decoding import Event
from events.errors import InvalidEvent
from events.sanitising.loading import load_sanitiser
from events.sanitising.loading import load_screens as load_sanitising
from events.schemas.loading import load_screens as load_schemas
from events.schemas.loading import load_watcher
from events.schemas.watching import Warned

# Returns the event as it may go on, or raises InvalidEvent. Pure and quick: it runs for each event, on the event loop.
Screen = Callable[[Event], Event]
# What is to be remarked about an event that will be stored. As quick, and never raises.
Watcher = Callable[[Event], Warned | None]
MAX_REMEMBERED: Final = 1_000


class Cleaner(Protocol):
    """Hides of a refused event's text, and of what is said about it, what the project's rules hide of events."""

    def clean(self, frame: bytes) -> bytes: ...

    def clean_error(self, error: InvalidEvent) -> InvalidEvent: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """A version of what a project asks: its screens, applied in order to each decoded event, then its watcher.

    `cleaner` is for what is kept of events that did not get through; None when all may be kept.
    """

    version: int
    screens: tuple[Screen, ...] = ()
    cleaner: Cleaner | None = None
    watcher: Watcher | None = None


NOTHING: Final = Policy(0)
# Each reads the rows of one concern, by (project_id, database alias), in the thread that calls `load_policy`.
LOADERS: Final[tuple[Callable[[int, str], tuple[Screen, ...]], ...]] = (
    load_sanitising,  # first, so that nothing else sees, and tells of, what it hides
    load_schemas,
)

_lock = threading.Lock()
_remembered: dict[tuple[str, int], Policy] = {}


def remembered_policy(*, project_id: int, version: int, using: str = "default") -> Policy | None:
    """The policy, without waiting; None when it must be loaded first. Version 0: the project asks nothing."""
    if version == 0:
        return NOTHING
    policy = _remembered.get((using, project_id))
    return policy if policy is not None and policy.version >= version else None


def load_policy(*, project_id: int, version: int, using: str = "default") -> Policy:
    """Read the policy's rows: at least as new as `version`, which came with a key. Raises django.db.Error."""
    screens = tuple(screen for load in LOADERS for screen in load(project_id, using))
    policy = Policy(version, screens, load_sanitiser(project_id, using), load_watcher(project_id, using))
    with _lock:
        if len(_remembered) >= MAX_REMEMBERED:
            _remembered.clear()
        known = _remembered.get((using, project_id))
        if known is None or known.version < version:
            _remembered[using, project_id] = policy
    return policy
