"""The frames of one socket that wait for their answers, and the answers in the order of the frames. Pure."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import UNSET

from events.answers import error_member
from events.submissions import Verdicts
from events.websocket.credit import Credit
from events.websocket.frames import Ack, Grant, Nack, Refusal


@dataclass(slots=True, eq=False)
class Entry:
    """A frame that was accepted, or refused as a whole. `size` is its bytes, `arrived` monotonic seconds."""

    seq: int
    size: int
    arrived: float
    events: int = 0
    ids: bool = False
    dry_run: bool = False
    answer: Verdicts | Refusal | None = None

    @property
    def plain(self) -> bool:
        """Whether its answer may be told together with others: nothing in it names the frame."""
        if not isinstance(self.answer, Verdicts) or self.ids or self.dry_run:
            return False
        return not self.answer.rejections and not self.answer.spooled


class Ledger:
    """Answers leave in the order of the frames, however the verdicts came."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> Entry:
        self._entries.append(entry)
        return entry

    def expire(self, before: float, refusal: Refusal) -> None:
        """Answer frames that arrived before then and still have no verdict."""
        for entry in self._entries:
            if entry.arrived >= before:
                return
            entry.answer = entry.answer or refusal

    def replies(self, credit: Credit, fill: float, sockets: int) -> Iterator[Ack | Nack]:
        """The answers that are due; frames without a refusal share one."""
        while run := self._take():
            for entry in run:
                credit.settle(events=entry.events, size=entry.size)
            yield _reply(run, credit.grant(fill, sockets))

    def _take(self) -> list[Entry]:
        """Answered frames from the head for one reply."""
        run: list[Entry] = []
        while self._entries and self._entries[0].answer is not None:
            if run and not (run[-1].plain and self._entries[0].plain):
                break
            run.append(self._entries.popleft())
        return run


def _reply(run: list[Entry], credit: Grant) -> Ack | Nack:
    last = run[-1]
    if isinstance(last.answer, Refusal):
        refusal = last.answer
        return Nack(last.seq, refusal.status, refusal.code, refusal.detail, refusal.retry_after, credit)
    found = [entry.answer for entry in run if isinstance(entry.answer, Verdicts)]
    rejections, spooled = found[-1].rejections, found[-1].spooled
    return Ack(
        ack=last.seq,
        accepted=sum(verdicts.accepted for verdicts in found),
        duplicates=None if spooled else sum(verdicts.duplicates for verdicts in found),
        rejected=len(rejections),
        errors=[error_member(rejection) for rejection in rejections],
        credit=credit,
        ids=found[-1].ids if last.ids else UNSET,
        dry_run=last.dry_run or UNSET,
        durability="spooled" if spooled else UNSET,
    )
