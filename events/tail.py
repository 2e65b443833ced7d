"""Which of the events that just arrived the live page may show: a bounded sample."""

from events.flushes import Flush, Outcome
from events.preparing import Prepared

PER_REQUEST = 10
PER_SECOND = 50


class TailSampler:
    """The last PER_REQUEST events of a request and at most PER_SECOND of a second, for each project."""

    def __init__(self) -> None:
        self._second = 0
        self._taken: dict[int, int] = {}

    def sample(self, flush: Flush, outcome: Outcome) -> list[Prepared]:
        """Stored events of the flush, newest requests first."""
        second = int(outcome.received_at.timestamp())
        if second != self._second:
            self._second, self._taken = second, {}
        sampled: list[Prepared] = []
        for submission, start in zip(reversed(flush.submissions), reversed(flush.starts), strict=True):
            taken = self._taken.get(submission.project_id, 0)
            if taken < PER_SECOND:
                found = _last_stored(submission.prepared, start, outcome)[: PER_SECOND - taken]
                self._taken[submission.project_id] = taken + len(found)
                sampled += found
        return sampled


def _last_stored(prepared: list[Prepared], start: int, outcome: Outcome) -> list[Prepared]:
    last = len(prepared) - PER_REQUEST
    return [
        event
        for place, event in enumerate(prepared[-PER_REQUEST:], start + max(last, 0))
        if outcome.keeps(place)
    ]
