"""What the topics consist of, on the wire of WS /ws/v1/live and in the pages' first HTML."""

from typing import Literal, TypedDict

from events.imports.describing import ImportDocument

Topic = Literal["overview", "imports"]


class Rate(TypedDict):
    """Accepted events per second: the mean of the last complete seconds, and what the quarter of an hour saw."""

    now: float
    peak: int
    mean: float


class Totals(TypedDict):
    """Events of the last 15 minutes by verdict."""

    accepted: int
    duplicates: int
    rejected: int


class Series(TypedDict):
    """One value per complete second from `start` (unix time) on; both lists are equally long."""

    start: int
    accepted: list[int]
    rejected: list[int]


class TypeCount(TypedDict):
    """One event type's accepted events in the last 15 minutes."""

    type: str
    events: int
    rate: float


class NewEvent(TypedDict):
    """An event that just arrived; times are RFC 3339 in UTC."""

    uid: str
    id: str
    type: str
    source: str
    subject: str
    value: float | None
    time: str
    received_at: str


class Latency(TypedDict):
    """How long senders waited for their answer in the last minute, in milliseconds; None without requests."""

    p50: float | None
    p95: float | None
    p99: float | None
    requests: int


class Lag(TypedDict):
    """What is committed and not yet folded into windows."""

    segments: int
    events: int
    seconds: float


class Quarantine(TypedDict):
    """Refused events that wait for somebody, counted up to ten thousand."""

    waiting: int


class Rejection(TypedDict):
    """An event refused inside an accepted request."""

    id: str
    received_at: str
    type: str
    code: str
    pointer: str
    message: str


class ClosedWindow(TypedDict):
    """The newest result of a window that has closed; sum, min and max are None when no event carried a value."""

    id: str
    pipeline: str
    group: str
    start: str
    end: str
    events: int
    sum: float | None
    min: float | None
    max: float | None
    revision: int
    final: bool
    partial: bool


class Overview(TypedDict):
    """Everything the overview shows."""

    rate: Rate
    totals: Totals
    series: Series
    types: list[TypeCount]
    newest: list[NewEvent]
    latency: Latency
    lag: Lag
    rejections: list[Rejection]
    quarantine: Quarantine
    windows: list[ClosedWindow]


class OverviewChanges(TypedDict, total=False):
    """The parts that differ; `series` holds only the seconds from the first that changed, to be spliced in."""

    rate: Rate
    totals: Totals
    series: Series
    types: list[TypeCount]
    newest: list[NewEvent]
    latency: Latency
    lag: Lag
    rejections: list[Rejection]
    quarantine: Quarantine
    windows: list[ClosedWindow]


class Imports(TypedDict):
    """The project's newest imports, newest first."""

    imports: list[ImportDocument]


class ImportsChanges(TypedDict, total=False):
    """The list, whole, when anything in it differs."""

    imports: list[ImportDocument]


Data = Overview | Imports
Changes = OverviewChanges | ImportsChanges
SnapshotReason = Literal["start", "epoch", "gap"]


class SnapshotFrame(TypedDict):
    """The whole state. `reason` announces why: a start, another hub's `since`, or one too old to continue."""

    topic: Topic
    project: str
    kind: Literal["snapshot"]
    reason: SnapshotReason
    epoch: str
    seq: int
    as_of: str | None
    stale: bool
    stale_since: str | None
    data: Data | None


class DeltaFrame(TypedDict):
    """What changed between `after` (the last seq this socket was sent) and `seq`."""

    topic: Topic
    project: str
    kind: Literal["delta"]
    epoch: str
    after: int
    seq: int
    as_of: str | None
    stale: bool
    stale_since: str | None
    data: Changes


class ErrorFrame(TypedDict):
    """Why a frame, or the socket, was refused; `field` names the part of the client's frame."""

    kind: Literal["error"]
    code: str
    field: str
    message: str


class ReadyFrame(TypedDict):
    """The answer to `auth` and to the opening of a signed-in socket."""

    kind: Literal["ready"]
    credit: int


class PongFrame(TypedDict):
    """The answer to `ping`, with what the client sent."""

    pong: int


class UnsubscribedFrame(TypedDict):
    """The answer to `unsubscribe`: no frame of this topic follows."""

    topic: Topic
    project: str
    kind: Literal["unsubscribed"]
