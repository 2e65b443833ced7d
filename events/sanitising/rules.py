"""Rules applied to an event as a tree: what each drops, masks or hashes. Pure; the key is handed in."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from events.sanitising.canonical import text_of
from events.sanitising.errors import RuleInvalid
from events.sanitising.paths import DROPPED, FIELDS, change_at, may_reach, parse_path
from events.sanitising.patterns import Pattern, make_pattern
from events.sanitising.tokens import MASK, Tokens
from events.type_names import is_type_name

Action = Literal["drop", "mask", "hash"]
Tree = dict[str, Any]
# Each round covers more of a text that an earlier one uncovered, as `^b` finds in `ab` once `a` is masked.
MAX_ROUNDS: Final = 8
# Names that stand in each event, or for what is none: a pattern finds nothing in them. Only refused events have others.
WHOLE: Final = "event"
_KNOWN_NAMES: Final = frozenset({*FIELDS, "type", "time", "value", WHOLE})
_is_like_time: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]{5,16}[Zz0-9:+-]{1,6}").fullmatch


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule as people write it: a place by `path`, or what is looked for everywhere by `pattern`, not both."""

    action: Action
    path: str = ""
    pattern: str = ""
    expression: str = ""
    name: str = ""

    @property
    def label(self) -> str:
        """What to call it where it has no name."""
        return self.name or f"{self.action} {self.path or self.expression or self.pattern}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule. `apply` changes the tree in place, and says whether it did."""

    text: RuleText
    apply: Callable[[Tree], bool]
    may_change_data: Callable[[bytes], bool]


def compile_rule(text: RuleText, tokens: Tokens) -> Rule:
    """Raises RuleInvalid, which names the field and the remedy."""
    if bool(text.path) == bool(text.pattern):
        raise RuleInvalid("path", "Give a path or a pattern: one of them, not both.")
    return _path_rule(text, tokens) if text.path else _pattern_rule(text, tokens)


def _path_rule(text: RuleText, tokens: Tokens) -> Rule:
    place = parse_path(text.path)
    _check_place(place, text.action)
    change = _CHANGES[text.action](tokens)
    reaches_data = place[0] == "data"
    return Rule(
        text,
        lambda tree: change_at(tree, place, change),
        lambda document: reaches_data and may_reach(place, document),
    )


def _check_place(place: tuple[str, ...], action: Action) -> None:
    if place == ("data",) and action != "drop":
        raise RuleInvalid("path", "`data` must stay an object: drop it, or name what is inside (/data/*).")
    if place == ("id",) and action == "mask":
        raise RuleInvalid(
            "action", "Masked ids would all be one, and all but the first event lost: hash or drop."
        )
    if place == ("source",) and action != "hash":
        raise RuleInvalid("action", "Ids are a source's own, so without it events would be lost: hash it.")


def _pattern_rule(text: RuleText, tokens: Tokens) -> Rule:
    pattern = make_pattern(text.pattern, text.expression)
    own = _in_strings(pattern, text.action, tokens)
    identity = _in_strings(pattern, "hash", tokens)

    def apply(tree: Tree) -> bool:
        changed = False
        copies: Counter[str] = Counter()
        for name, old in list(tree.items()):
            if _names_the_event(name, old):
                continue
            # Of two ids or sources that became one, the second event would be taken for a duplicate, and lost.
            keeps_identity = name == "source" or (name == "id" and text.action == "mask")
            new = _change_strings(old, identity if keeps_identity else own)
            new_name = name if name in _KNOWN_NAMES else own(name)
            if new is old and new_name is name:
                continue
            changed = True
            if new_name is name and new is not DROPPED:
                tree[name] = new
                continue
            del tree[name]
            if new is not DROPPED and new_name is not DROPPED:
                tree[_free_name(new_name, tree, copies)] = new
        return changed

    return Rule(text, apply, pattern.may_match)


def _names_the_event(name: str, value: Any) -> bool:
    """A sound type or time: rules leave them alone in an accepted event, and so in the text of a refused one."""
    if name == "type":
        return isinstance(value, str) and is_type_name(value)
    return name == "time" and isinstance(value, str) and _is_like_time(value) is not None


def _change_strings(node: Any, change: Callable[[str], Any]) -> Any:
    """`node` with all its strings changed, keys too; `node` itself when there was nothing to change."""
    if isinstance(node, str):
        return change(node)
    if isinstance(node, dict):
        return _change_members(node, change)
    if isinstance(node, list):
        items = [_change_strings(item, change) for item in node]
        if all(new is old for new, old in zip(items, node, strict=True)):
            return node
        return [None if item is DROPPED else item for item in items]
    return node


def _change_members(node: Tree, change: Callable[[str], Any]) -> Tree:
    members: Tree = {}
    copies: Counter[str] = Counter()
    changed = False
    for name, value in node.items():
        new_name, new_value = change(name), _change_strings(value, change)
        changed |= new_name is not name or new_value is not value
        if new_name is not DROPPED and new_value is not DROPPED:
            members[_free_name(new_name, members, copies)] = new_value
    return members if changed else node


def _free_name(name: str, taken: Tree, copies: Counter[str]) -> str:
    """Two masked keys of one object stay two."""
    free = name
    while free in taken:
        copies[name] += 1
        free = f"{name}#{copies[name] + 1}"
    return free


def _in_strings(pattern: Pattern, action: Action, tokens: Tokens) -> Callable[[str], Any]:
    """What becomes of a string: itself when nothing matches; `drop` takes all of it."""

    def change(text: str) -> Any:
        if next(pattern.spans(text), None) is None and not tokens.settles(text):
            return text
        parts: list[str] = []
        found = False
        for settled, part in tokens.segments(text):
            end = 0
            for start, stop in () if settled else pattern.spans(part):
                if action == "drop":
                    return DROPPED
                found = True
                hidden = MASK if action == "mask" else tokens.token(part[start:stop])
                parts += part[end:start], hidden
                end = stop
            parts.append(part[end:])
        return "".join(parts) if found else text

    return change


def _drop(_tokens: Tokens) -> Callable[[Any], Any]:
    return lambda _value: DROPPED


def _mask(_tokens: Tokens) -> Callable[[Any], Any]:
    return lambda value: value if value is None or value == MASK else MASK


def _hash(tokens: Tokens) -> Callable[[Any], Any]:
    def change(value: Any) -> Any:
        if value is None:
            return None
        text = value if isinstance(value, str) else text_of(value)
        token = tokens.token(text)
        return value if token == value else token

    return change


_CHANGES: Final = {"drop": _drop, "mask": _mask, "hash": _hash}


def apply_rules(rules: Sequence[Rule], tree: Tree) -> bool:
    """Apply rules in order, and again until none finds anything: so applying them twice is applying them once."""
    changed = False
    for _ in range(MAX_ROUNDS):
        applied = [rule.apply(tree) for rule in rules]
        if True not in applied:
            break
        changed = True
    return changed
