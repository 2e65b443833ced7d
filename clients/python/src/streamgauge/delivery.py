"""One batch from the first try to the last verdict, as a generator that does no I/O: both clients drive it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from streamgauge.errors import Rejected, RequestRefused, Undelivered
from streamgauge.events import Prepared
from streamgauge.retries import RetryPolicy
from streamgauge.verdicts import Again, Answer, Durability, Halve, Ruling, Stopped, Verdicts, judge


@dataclass(frozen=True)
class Post:
    """What to do next: wait so many seconds, then send these events in one request."""

    events: Sequence[Prepared]
    after: float
    again: Undelivered | None = None  # why this is another try


@dataclass
class Delivery:
    """What became of a batch. Each event is in exactly one of the three lists."""

    stored: list[tuple[Prepared, Durability]] = field(default_factory=list)
    rejected: list[tuple[Prepared, Rejected]] = field(default_factory=list)
    failed: list[Prepared] = field(default_factory=list)
    error: Undelivered | None = None  # why `failed` failed
    retry_after: float | None = None  # seconds, where the last answer said so
    accepted: int = 0
    duplicates: int = 0

    def _add(self, events: Sequence[Prepared], verdicts: Verdicts) -> None:
        self.accepted += verdicts.accepted
        self.duplicates += verdicts.duplicates
        refused = {refusal.index: refusal for refusal in verdicts.refusals}
        for place, prepared in enumerate(events):
            if (refusal := refused.get(place)) is None:
                self.stored.append((prepared, verdicts.durability))
            else:
                error = Rejected(
                    prepared.event,
                    code=refusal.code,
                    message=refusal.message,
                    pointer=refusal.pointer,
                    retryable=refusal.retryable,
                )
                self.rejected.append((prepared, error))


Steps = Generator[Post, Answer, Delivery]


def deliver(
    events: Sequence[Prepared], policy: RetryPolicy, *, started: float, chance: Callable[[], float]
) -> Steps:
    """Yields what to send; wants the answer sent back; returns the outcome. `started` is monotonic time.

    The time bound is on the whole batch, the bound on tries on each request. A request that is refused for
    one of its events is halved until that event stands alone, so that it harms no other.
    """
    delivery = Delivery()
    parts = deque([events])
    while parts:
        part = parts.popleft()
        ruling = yield from _ask(part, policy, started, chance, delivery)
        if isinstance(ruling, Verdicts):
            delivery._add(part, ruling)
        elif isinstance(ruling, Halve):
            half = len(part) // 2
            parts.extendleft((part[half:], part[:half]))
        else:
            delivery.error = ruling
            delivery.failed = [prepared for left in (part, *parts) for prepared in left]
            return delivery
    return delivery


def _ask(
    part: Sequence[Prepared],
    policy: RetryPolicy,
    started: float,
    chance: Callable[[], float],
    delivery: Delivery,
) -> Generator[Post, Answer, Verdicts | Halve | Undelivered]:
    attempt, after = 0, 0.0
    again: Undelivered | None = None
    while True:
        answer = yield Post(part, after, again)
        if isinstance(answer, Stopped):
            return Undelivered("the client was closed before the server answered")
        attempt += 1
        ruling: Ruling = judge(answer, len(part))
        if isinstance(ruling, Verdicts | Halve):
            return ruling
        if not isinstance(ruling, Again):
            return ruling.error
        delivery.retry_after = ruling.retry_after
        wait = policy.wait(
            attempt=attempt, elapsed=answer.at - started, retry_after=ruling.retry_after, chance=chance()
        )
        if wait is None:
            return Undelivered(f"{ruling.reason}, after {attempt} tries")
        after, again = wait, Undelivered(ruling.reason)


def is_away(error: Undelivered | None) -> bool:
    """The server cannot be reached or cannot take events, as opposed to refusing them."""
    return error is not None and not isinstance(error, RequestRefused)
