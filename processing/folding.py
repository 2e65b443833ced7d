"""Between the log and the windows, inside a drain's locks: read what a fold needs, write what it found."""

import time
from collections.abc import Collection, Sequence

from events.segments import unpack
from processing import storage
from processing.aggregates import merge
from processing.connections import type_Cursor
from processing.errors import DrainTooSlow
from processing.instants import to_us
from processing.pipeline import Fold, Router, SourceSegment, fold_segment
from processing.storage import Segment


def fold_segments(
    cursor: type_Cursor,
    segments: Sequence[Segment],
    router: Router,
    *,
    deadline: float | None = None,
    only: Collection[int] | None = None,
) -> Fold:
    """What `segments` add to the windows. Past `deadline` (of time.monotonic()) it raises DrainTooSlow."""
    sources = [
        SourceSegment(segment.partition, to_us(segment.received_at), unpack(segment.payload))
        for segment in segments
    ]
    plans = router.of_projects({event.project_id for source in sources for event in source.events})
    partitions = {source.partition for source in sources}
    versions = [plan.version_id for plan in plans]
    fold = Fold(storage.committed_watermarks(cursor, versions=versions, partitions=partitions))
    for source in sources:
        fold_segment(fold, source, router, only=only)
        if deadline is not None and time.monotonic() > deadline:
            raise DrainTooSlow(f"{len(sources)} segments took too long to fold; taking fewer.")
    return fold


def save(cursor: type_Cursor, fold: Fold, router: Router) -> None:
    """Write a fold into the rows of the held partitions.

    Reading, merging and writing back loses nothing: only the holder of a partition's lock writes its rows,
    and closers only delete those that no event can reach any more.
    """
    if fold.partials:
        for key, stored in storage.read_states(cursor, list(fold.partials)):
            merge(router.plans[key.version_id].aggregates, stored, fold.partials[key])
            fold.partials[key] = stored
        storage.write_states(cursor, fold.partials)
    if grown := fold.grown():
        storage.write_grown(cursor, grown)
    if fold.late:
        storage.write_late(cursor, fold.late)
    if fold.reached:
        storage.write_watermarks(cursor, fold, router.plans)
