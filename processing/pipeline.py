"""Fold segments of the log into partial windows. Pure: no row is touched, no clock is read."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from events.segments import SegmentEvent
from processing.aggregates import Aggregate, Partial, init
from processing.windows import Tumbling, is_late, window_ranges

_CACHED_ROUTES = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a worker needs of a deployed pipeline version. Times are microseconds since 1970 UTC.

    It counts events received after `from_us` and up to `until_us` (None: not replaced, not paused).
    """

    version_id: int
    pipeline_id: int
    project_id: int
    matches: Callable[[str], object]
    window: Tumbling
    aggregates: tuple[Aggregate, ...]
    delay_us: int
    lateness_us: int
    from_us: int
    until_us: int | None


class Router:
    """Which plans want an event, remembered by (project, type)."""

    def __init__(self, plans: Iterable[Plan]) -> None:
        self.plans = {plan.version_id: plan for plan in plans}
        self._by_project: dict[int, list[Plan]] = {}
        for plan in self.plans.values():
            self._by_project.setdefault(plan.project_id, []).append(plan)
        self._routes: dict[tuple[int, str], tuple[Plan, ...]] = {}

    def of_projects(self, project_ids: Iterable[int]) -> list[Plan]:
        return [plan for project_id in project_ids for plan in self._by_project.get(project_id, ())]

    def plans_for(self, project_id: int, event_type: str) -> tuple[Plan, ...]:
        route = self._routes.get((project_id, event_type))
        if route is None:
            if len(self._routes) >= _CACHED_ROUTES:
                self._routes.clear()
            route = tuple(plan for plan in self._by_project.get(project_id, ()) if plan.matches(event_type))
            self._routes[project_id, event_type] = route
        return route


class StateKey(NamedTuple):
    """One row of `window_state`."""

    version_id: int
    partition: int
    group_key: str
    start_us: int
    end_us: int


class LateEvent(NamedTuple):
    """An event that came after its window was final."""

    plan: Plan
    partition: int
    event: SegmentEvent
    received_us: int
    start_us: int
    end_us: int
    watermark_us: int


class SourceSegment(NamedTuple):
    """A segment of the log, unpacked."""

    partition: int
    received_us: int
    events: Sequence[SegmentEvent]


@dataclass(slots=True)
class Fold:
    """What a drain found, before any row is touched.

    `committed` is each (version, partition)'s watermark as other transactions see it: the watermark this
    drain is about to write must not judge its own events, or a big batch would make late what two small
    ones would not.
    """

    committed: Mapping[tuple[int, int], int | None]
    partials: dict[StateKey, Partial] = field(default_factory=dict)
    late: list[LateEvent] = field(default_factory=list)
    # Greatest min(time, received_at), and last received_at, by (version, partition).
    reached: dict[tuple[int, int], int] = field(default_factory=dict)
    received: dict[tuple[int, int], int] = field(default_factory=dict)

    def grown(self) -> set[tuple[int, str, int, int]]:
        """Windows that a closer may already have merged: those that the committed watermark had passed.

        A window that ends later than this partition's committed watermark cannot have been closed, because
        a closer goes by the least watermark, and this partition's only moves when this drain commits.
        """
        return {
            (key.version_id, key.group_key, key.start_us, key.end_us)
            for key in self.partials
            if (watermark := self.committed.get((key.version_id, key.partition))) is not None
            and key.end_us <= watermark
        }


def fold_segment(
    fold: Fold, segment: SourceSegment, router: Router, *, only: Collection[int] | None = None
) -> None:
    """Add a segment's events to `fold`, in arrival order. `only`: these versions and no others."""
    received_us = segment.received_us
    add = partial(_add_event, fold, segment.partition, received_us)
    for event in segment.events:
        for plan in router.plans_for(event.project_id, event.type):
            if received_us <= plan.from_us or (plan.until_us is not None and received_us > plan.until_us):
                continue
            if only is None or plan.version_id in only:
                add(plan, event)


def _add_event(fold: Fold, partition: int, received_us: int, plan: Plan, event: SegmentEvent) -> None:
    place = (plan.version_id, partition)
    watermark_us = fold.committed.get(place)
    reached_us = min(event.time_us, received_us)
    if reached_us > fold.reached.get(place, -(1 << 62)):
        fold.reached[place] = reached_us
    fold.received[place] = max(received_us, fold.received.get(place, received_us))
    for start_us, end_us in window_ranges(plan.window, event.time_us):
        if is_late(end_us=end_us, lateness_us=plan.lateness_us, watermark_us=watermark_us):
            assert watermark_us is not None
            fold.late.append(LateEvent(plan, partition, event, received_us, start_us, end_us, watermark_us))
            continue
        key = StateKey(plan.version_id, partition, event.type, start_us, end_us)
        states = fold.partials.get(key)
        if states is None:
            states = fold.partials[key] = init(plan.aggregates)
        for aggregate, state in zip(plan.aggregates, states, strict=True):
            aggregate.add(state, event.value)
