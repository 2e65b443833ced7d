"""The flight replay's data, pace and sender, without a server."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
import stamina

from events.flights import Flight, dataset, in_order, parse_flight, read_flights
from events.replay import Clock, Pace, ReplayFailed, Sender, batches, flight_event

STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROW = {
    "year": "2013", "month": "1", "day": "1", "dep_time": "517", "sched_dep_time": "515", "dep_delay": "2",
    "arr_time": "830", "sched_arr_time": "819", "arr_delay": "11", "carrier": "UA", "flight": "1545",
    "tailnum": "N14228", "origin": "EWR", "dest": "IAH", "air_time": "227", "distance": "1400", "hour": "5",
    "minute": "15", "time_hour": "2013-01-01T10:00:00Z",
}  # fmt: skip
CANCELLED = {**ROW, "dep_time": "NA", "dep_delay": "NA", "arr_delay": "NA", "air_time": "NA", "tailnum": "NA"}


class FakeClock(Clock):
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.started = STARTED
        self.now = 0.0

    def elapsed(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


def some_flights(count: int, *, apart: timedelta = timedelta(minutes=1)) -> list[tuple[int, Flight]]:
    flight = parse_flight(ROW)
    return [(index, flight._replace(time=flight.time + index * apart)) for index in range(count)]


def a_sender(answers: list[httpx.Response | Exception], seen: list[bytes]) -> Sender:
    remaining = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.read())
        response = next(remaining)
        if isinstance(response, Exception):
            raise response
        return response

    client = httpx.Client(transport=httpx.MockTransport(answer))
    return Sender(url="http://ingest.test", key="k", attempts=3, on_retry=lambda reason: None, client=client)


def test_a_departure_is_timed_in_utc_by_its_schedule_and_its_delay() -> None:
    assert parse_flight(ROW).time == datetime(2013, 1, 1, 10, 17, tzinfo=UTC)


def test_what_the_file_gives_as_na_is_absent_from_the_event() -> None:
    event = flight_event(parse_flight(CANCELLED), identifier="run-1", at=STARTED)
    assert event["type"] == "flight.cancelled"
    assert event["key"] == "UA"
    assert not {"value", "subject"} & set(event)
    assert event["data"] == {
        "carrier": "UA", "origin": "EWR", "dest": "IAH", "flight": 1545, "distance": 1400,
        "scheduled": "2013-01-01T10:15:00Z",
    }  # fmt: skip


def test_a_flight_cancelled_early_in_a_day_comes_before_that_days_later_departures() -> None:
    later = {**ROW, "time_hour": "2013-01-01T20:00:00Z"}
    tomorrow = {**ROW, "day": "2", "time_hour": "2013-01-02T10:00:00Z"}
    flights = list(in_order([later, CANCELLED, tomorrow]))
    assert [flight.departed for flight in flights] == [False, True, True]


def test_the_first_flights_of_the_year_are_read_in_order_without_pandas() -> None:
    flights = list(itertools.islice(read_flights(dataset()), 2000))
    assert flights == sorted(flights, key=lambda flight: flight.time)
    assert flights[0].data["flight"] == 1545


def test_a_rate_gives_out_what_is_due_in_each_tick_and_times_it_now() -> None:
    clock = FakeClock()
    out = list(batches(some_flights(50), run="r", pace=Pace(rate=200), size=100, clock=clock))
    assert [len(batch) for batch in out] == [1, 20, 20, 9]
    assert out[1][0]["time"] == "2026-03-01T12:00:00.100000Z"


def test_a_speed_keeps_the_distances_between_flights() -> None:
    clock = FakeClock()
    out = list(batches(some_flights(3), run="r", pace=Pace(speed=60), size=100, clock=clock))
    times = [event["time"] for batch in out for event in batch]
    assert times == ["2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z", "2026-03-01T12:00:02Z"]


def test_a_batch_never_exceeds_its_size_when_the_replay_is_behind() -> None:
    out = list(batches(some_flights(25), run="r", pace=Pace(rate=0), size=10, clock=FakeClock()))
    assert [len(batch) for batch in out] == [10, 10, 5]


def test_ids_depend_on_the_run_and_the_flight_only() -> None:
    late = list(batches(some_flights(9)[5:], run="r", pace=Pace(rate=0), size=10, clock=FakeClock()))
    assert [event["id"] for event in late[0]] == ["r-5", "r-6", "r-7", "r-8"]


def test_a_lost_answer_is_retried_with_the_same_bytes() -> None:
    seen: list[bytes] = []
    lost = httpx.ReadError("reset")
    busy = httpx.Response(503, headers={"Retry-After": "0"})
    sender = a_sender([lost, busy, httpx.Response(200, json={"accepted": 0, "duplicates": 1})], seen)
    sender.send([{"type": "flight.departed", "id": "r-1"}])
    assert len(set(seen)) == 1
    assert (sender.tally.duplicates, sender.tally.retries) == (1, 2)


def test_it_gives_up_after_its_attempts_and_says_what_to_do() -> None:
    sender = a_sender([httpx.ConnectError("refused")] * 3, [])
    with pytest.raises(ReplayFailed, match=r"after 3 attempts .* Start `make up`"):
        sender.send([{"type": "flight.departed", "id": "r-1"}])


def test_a_key_that_is_refused_is_not_tried_again() -> None:
    seen: list[bytes] = []
    sender = a_sender([httpx.Response(401)], seen)
    with pytest.raises(ReplayFailed, match=r"manage\.py keys create"):
        sender.send([{"type": "flight.departed", "id": "r-1"}])
    assert len(seen) == 1


def test_every_event_of_a_request_refused_whole_counts_as_refused() -> None:
    problem = {"title": "Nothing was stored", "errors": [{"index": 0, "code": "bad_value", "message": "no"}]}
    sender = a_sender([httpx.Response(422, content=msgspec.json.encode(problem))], [])
    sender.send([{"type": "flight.departed"}, {"type": "flight.departed"}])
    assert sender.tally.rejected == 2
    assert sender.tally.first_refusal == "bad_value: no"
