"""What a project asks of its events beyond their form, remembered in each process by version."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from events.decoding import Event

# Returns the event as it may go on, or raises InvalidEvent. Pure and quick: it runs for each event, on the event loop.
Screen = Callable[[Event], Event]
MAX_REMEMBERED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Policy:
    """A version of what a project asks: its screens, applied in order to each decoded event."""

    version: int
    screens: tuple[Screen, ...] = ()


NOTHING: Final = Policy(0)
# Each reads the rows of one concern, by (project_id, database alias), in the thread that calls `load_policy`.
LOADERS: Final[tuple[Callable[[int, str], tuple[Screen, ...]], ...]] = ()

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
    policy = Policy(version, tuple(screen for load in LOADERS for screen in load(project_id, using)))
    with _lock:
        if len(_remembered) >= MAX_REMEMBERED:
            _remembered.clear()
        known = _remembered.get((using, project_id))
        if known is None or known.version < version:
            _remembered[using, project_id] = policy
    return policy
