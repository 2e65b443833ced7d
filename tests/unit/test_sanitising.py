"""Rules on events: what is hidden, what stays, in which order, and that twice is once."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from events.decoding import AttributedEvent, Event, decode_event
from events.errors import InvalidEvent
from events.identity import identity_key
from events.limits import MAX_EVENT_BYTES
from events.protocols.cloudevents.envelope import decode_cloudevent
from events.sanitising.errors import RuleInvalid
from events.sanitising.rules import RuleText, compile_rule
from events.sanitising.sanitiser import Sanitiser
from events.sanitising.tokens import MASK, Tokens

TOKENS = Tokens(b"k" * 32)
EMAIL = "ada@example.com"
HASHED = TOKENS.token(EMAIL)


def rules(*texts: RuleText, tokens: Tokens = TOKENS) -> Sanitiser:
    return Sanitiser([compile_rule(text, tokens) for text in texts], tokens)


def screened(sanitiser: Sanitiser, **fields: Any) -> dict[str, Any]:
    """The event's fields afterwards; data decoded."""
    data = fields.pop("data", UNSET)
    raw = data if isinstance(data, bytes) else UNSET if data is UNSET else msgspec.json.encode(data)
    event = Event(type="t", data=UNSET if raw is UNSET else Raw(raw), **fields)
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(sanitiser.screen(event)))
    del decoded["type"]
    return decoded


@pytest.mark.parametrize(
    ("rule", "sent", "expected"),
    [
        (RuleText("drop", "/data/a"), {"data": {"a": 1, "b": 2}}, {"data": {"b": 2}}),
        (RuleText("mask", "/data/a"), {"data": {"a": 1, "b": 2}}, {"data": {"a": MASK, "b": 2}}),
        (RuleText("hash", "/data/a"), {"data": {"a": EMAIL}}, {"data": {"a": HASHED}}),
        (RuleText("hash", "/data/a"), {"data": {"a": None}}, {"data": {"a": None}}),
        (
            RuleText("drop", "/data/*/x"),
            {"data": {"a": {"x": 1}, "b": [{"x": 2}]}},
            {"data": {"a": {}, "b": [{"x": 2}]}},
        ),
        (RuleText("drop", "/data/l/*"), {"data": {"l": [1, {}]}}, {"data": {"l": [None, None]}}),
        (RuleText("drop", "/data/l/0"), {"data": {"l": [1, 2]}}, {"data": {"l": [None, 2]}}),
        (RuleText("mask", "/data/l/*/x"), {"data": {"l": [{"x": 1}, 2]}}, {"data": {"l": [{"x": MASK}, 2]}}),
        (RuleText("mask", "/data/a~1b"), {"data": {"a/b": 1}}, {"data": {"a/b": MASK}}),
        (RuleText("mask", "/data/é"), {"data": b'{"\\u00e9": 1}'}, {"data": {"é": MASK}}),
        (RuleText("drop", "/data"), {"data": {"a": 1}}, {}),
        (RuleText("drop", "/data/none"), {"data": {"a": 1}}, {"data": {"a": 1}}),
        (RuleText("drop", "/subject"), {"subject": "s", "source": "s"}, {"source": "s"}),
        (RuleText("hash", "/subject"), {"subject": EMAIL}, {"subject": HASHED}),
        (RuleText("drop", "/id"), {"id": "1"}, {}),
        (RuleText("mask", pattern="email"), {"data": {"a": f"to {EMAIL}!"}}, {"data": {"a": f"to {MASK}!"}}),
        (
            RuleText("mask", pattern="email"),
            {"data": b'{"a": "ada\\u0040example.com"}'},
            {"data": {"a": MASK}},
        ),
        (
            RuleText("hash", pattern="email"),
            {"data": {"a": [f"to {EMAIL}"]}},
            {"data": {"a": [f"to {HASHED}"]}},
        ),
        (
            RuleText("mask", pattern="email"),
            {"data": {EMAIL: 1, "eve@example.com": 2}},
            {"data": {MASK: 1, f"{MASK}#2": 2}},
        ),
        (
            RuleText("drop", pattern="email"),
            {"data": {"a": EMAIL, "b": [EMAIL, 1], EMAIL: 1}},
            {"data": {"b": [None, 1]}},
        ),
        (RuleText("drop", pattern="email"), {"subject": f"of {EMAIL}", "key": "k"}, {"key": "k"}),
        (RuleText("mask", pattern="email"), {"subject": EMAIL, "key": EMAIL}, {"subject": MASK, "key": MASK}),
        (
            RuleText("mask", pattern="email"),
            {"id": f"o {EMAIL}", "source": EMAIL},
            {"id": f"o {HASHED}", "source": HASHED},
        ),
        (RuleText("drop", pattern="email"), {"id": EMAIL, "source": EMAIL}, {"source": HASHED}),
        (RuleText("mask", pattern="card"), {"data": {"a": "4111 1111 1111 1111"}}, {"data": {"a": MASK}}),
        (
            RuleText("mask", pattern="ip"),
            {"source": "10.0.0.1:99"},
            {"source": TOKENS.token("10.0.0.1") + ":99"},
        ),
        (
            RuleText("mask", pattern="custom", expression="[A-Z]{2}[0-9]+"),
            {"data": {"a": "x AB12 y"}},
            {"data": {"a": f"x {MASK} y"}},
        ),
    ],
)
def test_a_rule_hides_what_it_says_and_nothing_else(
    rule: RuleText, sent: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert screened(rules(rule), **sent) == expected


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (RuleText("drop"), "path"),
        (RuleText("drop", "/data/a", "email"), "path"),
        (RuleText("drop", "data"), "path"),
        (RuleText("drop", "/value"), "path"),
        (RuleText("drop", "/type"), "path"),
        (RuleText("drop", "/subject/a"), "path"),
        (RuleText("mask", "/data"), "path"),
        (RuleText("drop", "/data" + "/a" * 40), "path"),
        (RuleText("mask", "/id"), "action"),
        (RuleText("mask", "/source"), "action"),
        (RuleText("drop", "/source"), "action"),
        (RuleText("mask", pattern="custom"), "expression"),
    ],
)
def test_a_rule_that_would_harm_is_refused_with_its_field(rule: RuleText, field: str) -> None:
    with pytest.raises(RuleInvalid) as refused:
        compile_rule(rule, TOKENS)
    assert refused.value.field == field


def test_what_no_rule_touches_keeps_every_digit() -> None:
    sent = b'{"email": "ada@example.com", "exact": 0.10000000000000000001, "big": 12345678901234567890123, "e": 1E2}'
    event = rules(RuleText("drop", "/data/email")).screen(Event(type="t", data=Raw(sent)))
    assert event.data is not UNSET
    assert bytes(event.data) == (b'{"exact":0.10000000000000000001,"big":12345678901234567890123,"e":1E2}')


def test_an_event_that_no_rule_touches_is_the_same_object() -> None:
    event = Event(type="t", subject="s", data=Raw(b'{"a":"b"}'))
    assert rules(RuleText("mask", pattern="email"), RuleText("drop", "/data/z")).screen(event) is event


def cloudevent(**attributes: str) -> bytes:
    whole = {"specversion": "1.0", "id": "a", "source": "/s", "type": "t", **attributes}
    return msgspec.json.encode(whole)


@pytest.mark.parametrize(
    ("rule", "sent", "expected"),
    [
        (RuleText("mask", pattern="email"), {"sender": EMAIL}, {"sender": MASK}),
        (RuleText("hash", "/attributes/sender"), {"sender": EMAIL, "b": "x"}, {"sender": HASHED, "b": "x"}),
        (RuleText("drop", "/attributes/sender"), {"sender": EMAIL, "b": "x"}, {"b": "x"}),
        (RuleText("hash", "/key"), {"partitionkey": EMAIL}, {"partitionkey": HASHED}),
        (RuleText("drop", "/data/a"), {"sender": EMAIL}, {"sender": EMAIL}),
    ],
)
def test_attributes_of_cloudevents_are_hidden_in_events_and_in_texts_alike(
    rule: RuleText, sent: dict[str, str], expected: dict[str, str]
) -> None:
    sanitiser, raw = rules(rule), cloudevent(**sent)
    event = sanitiser.screen(decode_cloudevent(raw, plain=False))
    assert isinstance(event, AttributedEvent)
    attributes = msgspec.json.decode(event.attributes)
    assert attributes == {"specversion": "1.0", **expected}
    assert event.key == expected.get("partitionkey", UNSET)
    assert json.loads(sanitiser.clean(raw)) == json.loads(cloudevent(**expected))


def test_rules_apply_in_order() -> None:
    hashing, masking = RuleText("hash", "/data/a"), RuleText("mask", pattern="email")
    assert screened(rules(hashing, masking), data={"a": EMAIL}) == {"data": {"a": HASHED}}
    assert screened(rules(masking, hashing), data={"a": EMAIL}) == {"data": {"a": TOKENS.token(MASK)}}


def test_equal_values_have_equal_tokens_in_one_project_and_others_in_another() -> None:
    assert TOKENS.token(EMAIL) == Tokens(b"k" * 32).token(EMAIL) != Tokens(b"l" * 32).token(EMAIL)
    by_path = screened(rules(RuleText("hash", "/data/a")), data={"a": EMAIL})["data"]["a"]
    assert by_path == screened(rules(RuleText("hash", pattern="email")), subject=EMAIL)["subject"]


def test_only_tokens_of_the_own_key_are_taken_for_tokens() -> None:
    forged = HASHED[:-1] + ("a" if HASHED[-1] != "a" else "b")
    assert TOKENS.token(HASHED) == HASHED
    for other in (forged, Tokens(b"l" * 32).token(EMAIL), "sgh_" + "1" * 32):
        assert TOKENS.token(other) != other


def test_a_hashed_id_is_one_identity_for_one_id() -> None:
    sanitiser = rules(RuleText("hash", "/id"), RuleText("hash", "/source"))
    keys = {
        identity_key(1, event["source"], event["id"])
        for event in (screened(sanitiser, id=number, source="s") for number in ("1", "1", "2"))
    }
    assert len(keys) == 2


def test_a_text_that_outgrows_its_limit_is_hashed_whole() -> None:
    id_ = ",".join(["10.0.0.1"] * 28)
    new = screened(rules(RuleText("hash", pattern="ip")), id=id_)["id"]
    assert TOKENS.is_token(new)


def test_data_that_outgrows_its_limit_is_refused() -> None:
    data = {"a": " ".join(["10.0.0.1"] * 20_000)}
    with pytest.raises(InvalidEvent) as refused:
        screened(rules(RuleText("hash", pattern="ip")), data=data)
    assert (refused.value.code, refused.value.pointer) == ("event_too_large", "/data")


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b'{"type": "t",  "data": {"a": 1}}', b'{"type": "t",  "data": {"a": 1}}'),
        (b'{"mail": "ada@example.com", "n": 1.50}', b'{"mail":"***","n":1.50}'),
        (b'{"type": "ada@example.com"}', b'{"type":"***"}'),
        (b'{"time": "ada@example.com"}', b'{"time":"***"}'),
        (b'{"subject": ["ada@example.com"]}', b'{"subject":["***"]}'),
        (b'["ada@example.com"]', b'["***"]'),
        (b'{"ada@example.com": 1, "eve@example.com": 2, "b": 3}', b'{"b":3,"***":1,"***#2":2}'),
        (b'"ada@example.com"', b'"***"'),
        (b'{"a": "ada@example.com", "a": 1, "b": "eve@example.com"}', b'{"a":1,"b":"***"}'),
    ],
)
def test_the_text_of_a_refused_event_is_cleaned(frame: bytes, expected: bytes) -> None:
    assert rules(RuleText("mask", pattern="email")).clean(frame) == expected


@pytest.mark.parametrize(
    "frame",
    [
        b'{"a": "ada@example.com"',
        b"\xff",
        b"",
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"a":"\\ud800 ada@example.com"}',
    ],
)
def test_a_text_that_cannot_be_read_is_not_kept(frame: bytes) -> None:
    kept = rules(RuleText("mask", pattern="email")).clean(frame)
    assert kept.startswith(b"[not kept: this is not JSON")


def test_a_text_over_the_limit_is_not_kept() -> None:
    kept = rules(RuleText("mask", pattern="email")).clean(b'"' + b"a" * MAX_EVENT_BYTES + b'"')
    assert kept.startswith(b"[not kept: over")


def test_a_sound_type_and_time_of_a_refused_event_stay() -> None:
    frame = b'{"type": "order.2026", "time": "2026-01-31T12:00:00Z", "x": "2026"}'
    kept = rules(RuleText("mask", pattern="custom", expression="[0-9]{4}")).clean(frame)
    assert json.loads(kept) == {"type": "order.2026", "time": "2026-01-31T12:00:00Z", "x": MASK}


def test_what_is_said_of_a_refused_event_is_cleaned_too() -> None:
    with pytest.raises(InvalidEvent) as refused:
        decode_event(b'{"type": "t", "ada@example.com": 1}', plain=True)
    error = rules(RuleText("mask", pattern="email")).clean_error(refused.value)
    assert (error.code, error.pointer) == ("unknown_field", f"/{MASK}")
    assert EMAIL not in error.message


RULES = st.lists(
    st.one_of(
        st.builds(
            RuleText,
            st.sampled_from(["drop", "mask", "hash"]),
            st.sampled_from(["/data/a", "/data/*", "/data/a/*", "/data/*/0", "/subject", "/key"]),
        ),
        st.builds(
            RuleText,
            st.sampled_from(["drop", "mask", "hash"]),
            pattern=st.sampled_from(["email", "card", "ip"]),
        ),
        st.builds(
            RuleText,
            st.sampled_from(["drop", "mask", "hash"]),
            pattern=st.just("custom"),
            expression=st.sampled_from(["b", "^a", "a$", r"\*", "[a-z]{3}", "#2", r"\bsgh", "1[0-9]*"]),
        ),
    ),
    max_size=4,
)
TEXTS = st.sampled_from(
    [
        "",
        "a",
        "ab",
        "abc",
        EMAIL,
        f"x{EMAIL}",
        "10.0.0.1",
        "4111 1111 1111 1111",
        MASK,
        HASHED,
        "a***b",
        "ba*** 12",
    ]
)
LEAVES = st.one_of(
    TEXTS, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)
)
TREES = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3))
)
DATA = st.dictionaries(st.sampled_from(["a", "b", "abc", EMAIL]), TREES, max_size=3)


@given(RULES, DATA, TEXTS, TEXTS)
def test_twice_is_once_and_the_outcome_is_a_sound_event(
    texts: list[RuleText], data: dict[str, Any], subject: str, event_id: str
) -> None:
    sanitiser = rules(*texts)
    event = Event(type="t", subject=subject, id=event_id or UNSET, data=Raw(msgspec.json.encode(data)))
    once = sanitiser.screen(event)
    assert msgspec.json.encode(sanitiser.screen(once)) == msgspec.json.encode(once)
    raw = msgspec.json.encode(once)
    decode_event(raw, plain=False)
    assert sanitiser.clean(sanitiser.clean(msgspec.json.encode(event))) == sanitiser.clean(
        msgspec.json.encode(event)
    )
