"""What rules would make of events, rule by rule, before anything is changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from events import strictness
from events.errors import InvalidEvent
from events.queries import fetch, query
from events.sanitising import canonical
from events.sanitising.errors import RuleInvalid
from events.sanitising.loading import tokens_of
from events.sanitising.rules import RuleText, apply_rules, compile_rule
from events.sanitising.sanitiser import Sanitiser

MAX_EVENTS: Final = 20
LAST: Final = 5
_STORED = query("sanitising_sample")
Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One rule's part: whether it changed the event, and the event after it."""

    rule: str
    changed: bool
    after: bytes

    @property
    def shown_after(self) -> str:
        return self.after.decode()


@dataclass(frozen=True, slots=True)
class Preview:
    """An event's JSON before and after, and rule by rule in between. Texts of JSON."""

    before: bytes
    after: bytes
    steps: list[Step]

    @property
    def shown_before(self) -> str:
        return self.before.decode()

    @property
    def shown_after(self) -> str:
        return self.after.decode()


def preview_events(*, project_id: int, texts: Sequence[RuleText], events: Sequence[bytes]) -> list[Preview]:
    """Apply `texts` in order to the JSON texts of events. Raises RuleInvalid, also for what is no event."""
    if len(events) > MAX_EVENTS:
        raise RuleInvalid("events", f"{len(events)} events; give at most {MAX_EVENTS} at a time.")
    tokens = tokens_of(project_id)
    rules = [compile_rule(text, tokens) for text in texts]
    sanitiser = Sanitiser(rules, tokens)
    previews: list[Preview] = []
    for event in events:
        tree = _read(event)
        steps = []
        for rule in rules:
            changed = apply_rules([rule], tree)
            steps.append(Step(rule.text.label, changed, canonical.write(tree)))
        previews.append(Preview(event, sanitiser.clean(event), steps))
    return previews


def select_last_events(*, project_id: int, last: int = LAST, using: str = "default") -> list[bytes]:
    """The JSON texts of the events that arrived last, as they are stored."""
    parameters = {"project_id": project_id, "last": min(last, MAX_EVENTS)}
    return [text.encode() for (text,) in fetch(using, _STORED, parameters)]


def _read(event: bytes) -> Shown:
    try:
        strictness.check_exactly(event)
    except InvalidEvent as error:
        raise RuleInvalid("events", f"{error.message} Paste an event as it would be sent.") from None
    tree = canonical.read(event)
    if not isinstance(tree, dict):
        raise RuleInvalid("events", "An event is a JSON object; paste one as it would be sent.")
    return tree
