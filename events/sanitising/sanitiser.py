"""A project's rules at work: on decoded events, on the texts of refused ones, and on what is said of them. Pure."""

from collections.abc import Sequence
from typing import Any, Final, cast

from msgspec import UNSET, Raw
from msgspec.structs import replace

from events.decoding import AttributedEvent, Event
from events.errors import InvalidEvent
from events.limits import MAX_EVENT_BYTES, MAX_ID, MAX_TEXT
from events.sanitising import canonical
from events.sanitising.paths import ATTRIBUTES, TEXT_FIELDS
from events.sanitising.rules import WHOLE, Rule, Tree, apply_rules
from events.sanitising.tokens import MASK, Tokens

_LONGEST: Final = {"id": MAX_ID, "source": MAX_TEXT, "subject": MAX_TEXT, "key": MAX_TEXT}
_NULL: Final = b"null"
PARTITION_KEY: Final = "partitionkey"
UNREADABLE: Final = (
    "[not kept: this is not JSON, so the project's sanitising rules could not be applied to it]"
)
TOO_LARGE: Final = (
    f"[not kept: over {MAX_EVENT_BYTES} bytes, the project's sanitising rules are not applied to it]"
)


class Sanitiser:
    """Applies rules in order to `data`, `subject`, `source`, `key`, `id` and `attributes`; what they hide is hidden
    for good.
    """

    def __init__(self, rules: Sequence[Rule], tokens: Tokens) -> None:
        self._rules = tuple(rules)
        self._tokens = tokens

    def screen(self, event: Event) -> Event:
        """For Policy.screens. Raises InvalidEvent when tokens made the event larger than it may be."""
        changes = self._changed_texts(event)
        if (
            event.data is not UNSET
            and (data := bytes(event.data)) != _NULL
            and (rules := self._rules_for(data))
        ):
            tree: Tree = {"data": canonical.read(data)}
            if apply_rules(rules, tree):
                changes["data"] = _written(tree)
        if isinstance(event, AttributedEvent):
            changes |= self._changed_attributes(event, changes)
        return replace(event, **changes) if changes else event

    def _changed_texts(self, event: Event) -> dict[str, Any]:
        sent = {name: text for name in TEXT_FIELDS if (text := getattr(event, name))}
        tree = dict(sent)
        if not sent or not apply_rules(self._rules, tree):
            return {}
        return {
            name: self._shortened(name, tree[name]) if name in tree else UNSET
            for name, text in sent.items()
            if tree.get(name) != text
        }

    def _changed_attributes(self, event: AttributedEvent, changes: dict[str, Any]) -> dict[str, Any]:
        """CloudEvents keep their partition key among them too, where it must look as `key` does."""
        tree: Tree = {ATTRIBUTES: canonical.read(bytes(event.attributes))}
        changed = apply_rules(self._rules, tree)
        attributes = tree.get(ATTRIBUTES, {})
        if "key" in changes and PARTITION_KEY in attributes:
            changed = True
            if changes["key"] is UNSET:
                del attributes[PARTITION_KEY]
            else:
                attributes[PARTITION_KEY] = changes["key"]
        return {ATTRIBUTES: Raw(canonical.write(attributes))} if changed else {}

    def _shortened(self, name: str, text: str) -> str:
        """Tokens are longer than an address: a text that no longer fits is hashed as a whole."""
        return text if len(text) <= _LONGEST[name] else self._tokens.token(text)

    def _rules_for(self, data: bytes) -> Sequence[Rule]:
        """The rules that could change `data`, by a look at its text; most events need no more.

        Paths stay beside any other rule, as a masked key may be what one leads to.
        """
        if b"\\" in data:
            return self._rules
        may = [rule.may_change_data(data) for rule in self._rules]
        if True not in may:
            return ()
        return [rule for rule, can in zip(self._rules, may, strict=True) if can or rule.text.path]

    def clean(self, frame: bytes) -> bytes:
        """The text of a refused event as it may be kept: the very bytes when no rule finds anything in them."""
        if len(frame) > MAX_EVENT_BYTES:
            return TOO_LARGE.encode()
        try:
            document = canonical.read(frame)
            tree = document if isinstance(document, dict) else {WHOLE: document}
            if not self._apply_to_text(tree):
                return frame
            cleaned = canonical.write(tree if isinstance(document, dict) else tree.get(WHOLE))
        except (ValueError, RecursionError):  # not UTF-8 or JSON, half a surrogate pair, hundreds of levels
            return UNREADABLE.encode()
        return cleaned if len(cleaned) <= MAX_EVENT_BYTES else TOO_LARGE.encode()

    def _apply_to_text(self, tree: Tree) -> bool:
        """In a CloudEvent the attributes lie beside the fields, and the partition key has another name."""
        changed = apply_rules(self._rules, tree)
        if "specversion" in tree:
            changed |= apply_rules(self._rules, {ATTRIBUTES: tree})
            key: Tree = {"key": tree[PARTITION_KEY]} if PARTITION_KEY in tree else {}
            if key and apply_rules(self._rules, key):
                changed = True
                tree[PARTITION_KEY] = key.get("key", MASK)
        return changed

    def clean_error(self, error: InvalidEvent) -> InvalidEvent:
        """The verdict without what a rule hides: a message may name a key or quote a number."""
        return InvalidEvent(error.code, self._clean_text(error.pointer), self._clean_text(error.message))

    def _clean_text(self, text: str) -> str:
        tree: Tree = {WHOLE: text}
        apply_rules(self._rules, tree)
        return cast("str", tree.get(WHOLE, MASK))


def _written(tree: Tree) -> Raw | Any:
    if "data" not in tree:
        return UNSET
    text = canonical.write(tree["data"])
    if len(text) > MAX_EVENT_BYTES:
        raise InvalidEvent(
            "event_too_large",
            "/data",
            f"Sanitised, `data` has {len(text)} bytes; the limit is {MAX_EVENT_BYTES}: send less in one event.",
        )
    return Raw(text)
