"""Segments folded into partial windows, without a database."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from events.segments import SegmentEvent
from processing.aggregates import Partial, merge, results
from processing.definitions import Definition
from processing.pipeline import Fold, Plan, Router, SourceSegment, StateKey, fold_segment

SECOND = 1_000_000
PARTITION = 7


def event(time_s: float, value: float | None = 1.0, *, project: int = 1, kind: str = "a.b") -> SegmentEvent:
    time_us = round(time_s * SECOND)
    return SegmentEvent(project, time_us, b"u" * 16, kind, "source", "subject", "key", value, b"")


def plan(version: int = 1, **changes: Any) -> Plan:
    definition = Definition(types=changes.pop("types", ("*",)), window_size=timedelta(seconds=10))
    defaults: dict[str, Any] = {
        "version_id": version, "pipeline_id": 1, "project_id": 1, "matches": definition.matcher(),
        "window": definition.window, "aggregates": definition.aggregates,
        "delay_us": 5 * SECOND, "lateness_us": 60 * SECOND, "from_us": 0, "until_us": None,
    }  # fmt: skip
    return Plan(**{**defaults, **changes})


def fold(
    *events: SegmentEvent,
    plans: list[Plan] | None = None,
    received_s: float = 1000,
    committed: dict[tuple[int, int], int | None] | None = None,
    only: set[int] | None = None,
) -> Fold:
    found = Fold(committed or {})
    segment = SourceSegment(PARTITION, round(received_s * SECOND), events)
    fold_segment(found, segment, Router(plans or [plan()]), only=only)
    return found


def counts(found: Fold) -> dict[tuple[int, str, int], float]:
    return {
        (key.version_id, key.group_key, key.start_us // SECOND): p[0][0] for key, p in found.partials.items()
    }


def test_events_are_counted_by_type_and_window() -> None:
    found = fold(event(1), event(9.999999), event(10), event(1, kind="c"))
    assert counts(found) == {(1, "a.b", 0): 2, (1, "a.b", 10): 1, (1, "c", 0): 1}


def test_only_the_project_and_the_types_of_a_pipeline_count() -> None:
    plans = [plan(1, types=("a.*",)), plan(2, types=("c", "a.?")), plan(3, project_id=2)]
    found = fold(event(1), event(1, kind="c"), event(1, kind="a.bb"), event(1, project=2), plans=plans)
    assert counts(found) == {
        (1, "a.b", 0): 1,
        (1, "a.bb", 0): 1,
        (2, "a.b", 0): 1,
        (2, "c", 0): 1,
        (3, "a.b", 0): 1,
    }


def test_a_version_counts_what_was_received_after_its_deploy_and_up_to_its_end() -> None:
    live = plan(from_us=1000 * SECOND, until_us=1002 * SECOND)
    taken = [
        s
        for s in (999, 1000, 1000.000001, 1002, 1002.000001)
        if fold(event(1), plans=[live], received_s=s).partials
    ]
    assert taken == [1000.000001, 1002]


def test_the_watermark_follows_the_event_time_but_never_the_future() -> None:
    found = fold(event(500), event(2000), received_s=1000)
    assert found.reached == {(1, PARTITION): 1000 * SECOND}
    assert fold(event(500), event(400), received_s=1000).reached == {(1, PARTITION): 500 * SECOND}


def test_late_is_judged_by_the_committed_watermark_only() -> None:
    """Otherwise the first event of a big drain would make the next one late."""
    found = fold(event(900), event(1), committed={(1, PARTITION): 69 * SECOND})
    assert not found.late
    on_the_edge = fold(event(900), event(1), committed={(1, PARTITION): 70 * SECOND})
    assert [late.event.time_us for late in on_the_edge.late] == [1 * SECOND]
    assert counts(on_the_edge) == {(1, "a.b", 900): 1}


def test_a_window_has_grown_if_a_closer_may_have_seen_it() -> None:
    found = fold(event(1), event(11), committed={(1, PARTITION): 10 * SECOND})
    assert found.grown() == {(1, "a.b", 0, 10 * SECOND)}
    assert not fold(event(1), committed={(1, PARTITION): 10 * SECOND - 1}).grown()
    assert not fold(event(1)).grown()


def test_one_version_can_be_folded_by_itself() -> None:
    found = fold(event(1), plans=[plan(1), plan(2)], only={2})
    assert {key.version_id for key in found.partials} == {2}


events = st.lists(
    st.builds(
        event,
        st.floats(min_value=0, max_value=60),
        st.one_of(st.none(), st.floats(min_value=-1e9, max_value=1e9)),
        kind=st.sampled_from(["a", "b"]),
    ),
    max_size=40,
)


@given(arrived=events, cut=st.integers(0, 40))
def test_two_drains_merge_to_what_one_would_have_found(arrived: list[SegmentEvent], cut: int) -> None:
    whole, first, second = fold(*arrived), fold(*arrived[:cut]), fold(*arrived[cut:])
    merged: dict[StateKey, Partial] = dict(first.partials)
    aggregates = plan().aggregates
    for key, partial in second.partials.items():
        if key in merged:
            merge(aggregates, merged[key], partial)
        else:
            merged[key] = partial
    assert merged.keys() == whole.partials.keys()
    for key, partial in merged.items():
        found, expected = results(aggregates, partial), results(aggregates, whole.partials[key])
        assert found[0] == expected[0]
        assert found[2:] == expected[2:]
        assert found[1] is expected[1] or abs(float(found[1] or 0) - float(expected[1] or 0)) < 1e-3
