"""The parts of the ingest socket that need no socket: credit, order of answers, pace, heads of frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import RequestRefused
from events.submissions import Verdicts
from events.websocket.credit import Credit
from events.websocket.frames import Ack, Nack, Refusal, SocketRefused, parse_events
from events.websocket.ledger import Entry, Ledger
from events.websocket.limits import FRAME_COST, SocketLimits
from events.websocket.pace import Pace
from events.websocket.subprotocols import (
    DEFAULT,
    SUBPROTOCOLS,
    Subprotocol,
    choose_subprotocol,
    frame_options,
)

LIMITS = SocketLimits()
REFUSED = Refusal(503, "overloaded", "The queue is full.", 1)
STREAMGAUGE = SUBPROTOCOLS[DEFAULT]


def opened(fill: float = 0.0, sockets: int = 1) -> Credit:
    credit = Credit(LIMITS)
    credit.open(fill, sockets)
    return credit


def answered(seq: int, accepted: int) -> Entry:
    return Entry(seq, 10, 0.0, accepted, answer=Verdicts(accepted, 0, [], ["x"] * accepted))


@given(
    st.lists(
        st.tuples(st.integers(1, 1_000), st.integers(10, 500_000), st.floats(0, 1.2), st.integers(1, 300)),
        max_size=40,
    )
)
def test_a_client_that_keeps_to_its_credit_is_never_over_it_and_never_starves(
    frames: list[tuple[int, int, float, int]],
) -> None:
    """The client counts by what it was told; frames are answered late, and the window shrinks meanwhile."""
    credit, told_events, told_bytes = Credit(LIMITS), 0, 0
    unanswered: list[tuple[int, int]] = []

    def hear(fill: float, sockets: int) -> None:
        nonlocal told_events, told_bytes
        events, size = unanswered.pop(0)
        credit.settle(events=events, size=size)
        grant = credit.grant(fill, sockets)
        told_events, told_bytes = told_events + grant.events, told_bytes + grant.bytes

    first = credit.open(0.0, 1)
    told_events, told_bytes = first.events, first.bytes
    for events, size, fill, sockets in frames:
        while told_events < events or told_bytes < size + FRAME_COST:
            assert unanswered, "nothing is under way and the frame still may not be sent"
            hear(fill, sockets)
        told_events, told_bytes = told_events - events, told_bytes - size - FRAME_COST
        assert credit.receive(size)
        assert credit.count(events)
        unanswered.append((events, size))
    assert 0 <= told_events <= LIMITS.events
    assert 0 <= told_bytes <= LIMITS.bytes


def test_a_frame_beyond_the_credit_is_noticed() -> None:
    credit = opened()
    assert credit.count(LIMITS.events)
    assert not credit.count(1)
    assert not credit.receive(LIMITS.bytes - FRAME_COST + 1)


def test_plain_answers_are_told_together_and_others_alone_in_the_order_of_the_frames() -> None:
    ledger, credit = Ledger(), opened()
    waiting = Entry(6, 10, 0.0, 1)
    entries = [
        answered(1, 2),
        answered(2, 3),
        Entry(3, 10, 0.0, answer=REFUSED),
        answered(4, 1),
        answered(5, 1),
    ]
    for entry in [*entries, waiting, answered(7, 1)]:
        ledger.add(entry)
    replies = list(ledger.replies(credit, 0.0, 1))
    assert [(type(reply), getattr(reply, "ack", None)) for reply in replies] == [
        (Ack, 2),
        (Nack, None),
        (Ack, 5),
    ]
    assert isinstance(replies[0], Ack)
    assert replies[0].accepted == 5
    waiting.answer = answered(6, 1).answer
    (last,) = ledger.replies(credit, 0.0, 1)
    assert isinstance(last, Ack)
    assert (last.ack, last.accepted, len(ledger)) == (7, 2, 0)


def test_only_what_arrived_before_then_is_given_up() -> None:
    ledger = Ledger()
    for seq in (1, 2, 3):
        ledger.add(Entry(seq, 10, float(seq)))
    ledger.expire(2.5, REFUSED)
    assert [type(reply) for reply in ledger.replies(opened(), 0.0, 1)] == [Nack, Nack]


def test_answers_wait_once_the_burst_is_used() -> None:
    now = 100.0
    pace = Pace(1_000, 5_000, lambda: now)
    assert [pace.delay(3_000), pace.delay(2_000), pace.delay(500)] == [0.0, 0.0, 0.5]
    now += 2
    assert pace.delay(1_500) == 0.0


def test_the_server_counts_frames_that_have_no_head() -> None:
    frame = parse_events(b'{"id":"7"}', Subprotocol({"": "application/json"}, numbered=False), last=4)
    assert (frame.seq, frame.words, frame.body) == (5, "", b'{"id":"7"}')


@pytest.mark.parametrize("head", [b"", b" 1", b"1 ", b"0", b"01", b"2\r", b"\xb2", b"1_0", b"+3", b"9" * 16])
def test_a_head_is_a_number_that_grows(head: bytes) -> None:
    with pytest.raises(SocketRefused):
        parse_events(head + b"\n{}", STREAMGAUGE, last=1)


def test_the_words_of_a_head_are_a_format_and_parameters() -> None:
    options = frame_options(DEFAULT, "ndjson ids on_error=reject")
    assert (options.ingest.body_format, options.ingest.on_error, options.ids) == ("ndjson", "reject", True)
    assert frame_options(DEFAULT, "").ingest.body_format == "json"
    with pytest.raises(RequestRefused, match="use json or ndjson"):
        frame_options(DEFAULT, "ndjson xml")


def test_a_client_that_offers_no_subprotocol_gets_the_default() -> None:
    assert choose_subprotocol([]) == DEFAULT
    assert choose_subprotocol(["soap", DEFAULT]) == DEFAULT
    assert choose_subprotocol(["soap"]) is None
