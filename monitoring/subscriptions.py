"""All that one socket has subscribed to, by topic and project."""

import asyncio
from collections.abc import Callable, Iterator

from msgspec import UNSET, UnsetType

from accounts.models import Project
from monitoring.errors import BadFrame, TooMany
from monitoring.frames import ClientFrame, Since
from monitoring.hub import Subject, hubs
from monitoring.limits import Limits
from monitoring.payloads import Topic
from monitoring.subscription import Subscription

Name = tuple[Topic, str]


def name_of(frame: ClientFrame, topic: Topic | UnsetType) -> Name:
    """The topic and project a frame names. Raises BadFrame."""
    if frame.params is UNSET:
        raise BadFrame('Say which project: {"params": {"project": "…"}}.', field="params")
    return "overview" if topic is UNSET else topic, frame.params.project


class Subscriptions:
    """At most `limits.subscriptions`; `wake` is set whenever one of them may have something to send."""

    def __init__(self, limits: Limits, wake: asyncio.Event, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._wake = wake
        self._clock = clock
        self._by_name: dict[Name, Subscription] = {}

    def add(self, name: Name, project: Project, since: Since | UnsetType) -> None:
        """Begin, or begin again. Raises TooMany."""
        self.drop(name)
        if len(self._by_name) >= self._limits.subscriptions:
            raise TooMany(
                f"A socket has at most {self._limits.subscriptions} subscriptions.", field="subscribe"
            )
        hub = hubs().join(Subject(name[0], project.pk, project.slug), self._wake)
        subscription = Subscription(hub, credit=self._limits.credit, wake=self._wake, clock=self._clock)
        if since is not UNSET:
            subscription.resume(since.epoch, since.seq)
        self._by_name[name] = subscription
        self._wake.set()

    def find(self, frame: ClientFrame, topic: Topic | UnsetType) -> Subscription:
        """The one a frame is about; it need not be named while there is only one. Raises BadFrame."""
        if frame.params is UNSET and len(self._by_name) == 1:
            return next(iter(self._by_name.values()))
        if (found := self._by_name.get(name_of(frame, topic))) is None:
            raise BadFrame("There is no such subscription on this socket.", field="params")
        return found

    def drop(self, name: Name) -> None:
        if subscription := self._by_name.pop(name, None):
            hubs().leave(subscription.hub, self._wake)

    def clear(self) -> None:
        for name in list(self._by_name):
            self.drop(name)

    def frames(self) -> Iterator[str]:
        """What may be sent now."""
        for subscription in list(self._by_name.values()):
            if frame := subscription.next_frame():
                yield frame

    @property
    def broken(self) -> bool:
        """Whether a hub failed."""
        return any(each.hub.failed for each in self._by_name.values())

    @property
    def subscribed(self) -> list[tuple[Topic, int]]:
        """Topic and project id of each."""
        subjects = [each.hub.subject for each in self._by_name.values()]
        return [(subject.topic, subject.project_id) for subject in subjects]

    def silent_seconds(self) -> float:
        """For how long the client has owed an acknowledgement at most."""
        return max((each.silent_seconds() for each in self._by_name.values()), default=0.0)
