"""Flights as events: at which moment each is sent, and a sender that loses and doubles none."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import httpx
import msgspec
import stamina

from events.flights import Flight

TICK_SECONDS = 0.1  # flights due within one tick travel together
MOST_SECONDS_TO_WAIT = 30.0
RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})


class ReplayFailed(Exception):
    """The replay cannot go on; the message says what to do."""


class NotAnswered(Exception):
    """The server asked to wait, or its answer was lost: the same events are sent again with the same ids."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Refusal(msgspec.Struct):
    """One entry of `errors` in an answer."""

    index: int = 0
    code: str = ""
    message: str = ""


class Verdicts(msgspec.Struct):
    """The answer of POST /api/v1/events."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    errors: list[Refusal] = []


@dataclass(frozen=True)
class Tally:
    """What became of the flights so far."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    retries: int = 0
    first_refusal: str = ""

    @property
    def answered(self) -> int:
        return self.accepted + self.duplicates + self.rejected

    def plus(self, verdicts: Verdicts, retries: int) -> "Tally":
        refusal = next((f"{each.code}: {each.message}" for each in verdicts.errors), "")
        return Tally(
            self.accepted + verdicts.accepted,
            self.duplicates + verdicts.duplicates,
            self.rejected + verdicts.rejected,
            self.retries + retries,
            self.first_refusal or refusal,
        )


@dataclass(frozen=True)
class Pace:
    """`rate` flights a second, timed when they are sent; or the flights' own clock, `speed` times faster.

    A rate of 0 is as fast as the server takes them.
    """

    rate: float = 200.0
    speed: float | None = None

    def due(self, ordinal: int, flight: Flight, first: Flight) -> float:
        """Seconds after the start at which the flight with this ordinal is to be sent."""
        if self.speed is not None:
            return (flight.time - first.time).total_seconds() / self.speed
        return ordinal / self.rate if self.rate else 0.0


class Clock:
    """Real time; tests bring their own."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC)
        self._zero = time.monotonic()

    def elapsed(self) -> float:
        return time.monotonic() - self._zero

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def flight_event(flight: Flight, *, identifier: str, at: datetime) -> dict[str, object]:
    """The event of one flight. Its key is the aircraft, so each aircraft's flights stay in order."""
    event: dict[str, object] = {
        "type": "flight.departed" if flight.departed else "flight.cancelled",
        "id": identifier,
        "source": flight.origin,
        "key": flight.tailnum or flight.carrier,
        "time": at.isoformat().replace("+00:00", "Z"),
        "data": flight.data,
    }
    if flight.tailnum:
        event["subject"] = flight.tailnum
    if flight.departed and flight.delay is not None:
        event["value"] = flight.delay
    return event


def batches(
    flights: Iterable[tuple[int, Flight]], *, run: str, pace: Pace, size: int, clock: Clock
) -> Iterator[list[dict[str, object]]]:
    """Events of (index, flight) pairs, given out when they are due, at most `size` together.

    An event's id is run and index: sent again, by a retry or a resumed run, it is a duplicate.
    """
    batch: list[dict[str, object]] = []
    first: Flight | None = None
    for ordinal, (index, flight) in enumerate(flights):
        first = first or flight
        due = pace.due(ordinal, flight, first)
        early = due - clock.elapsed()
        if batch and (early > 0 or len(batch) >= size):
            yield batch
            batch = []
            early = due - clock.elapsed()
        if early > 0:
            clock.sleep(max(early, TICK_SECONDS))
        seconds = due if pace.speed is not None else clock.elapsed()
        at = clock.started + timedelta(seconds=seconds)
        batch.append(flight_event(flight, identifier=f"{run}-{index}", at=at))
    if batch:
        yield batch


class Sender:
    """Posts batches to one server until each is answered; retries carry the same ids, so they store once."""

    def __init__(
        self,
        *,
        url: str,
        key: str,
        attempts: int,
        on_retry: Callable[[str], None],
        client: httpx.Client | None = None,
    ) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/events"
        self._client = client or httpx.Client(timeout=httpx.Timeout(30.0, connect=5.0))
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._attempts = attempts
        self._on_retry = on_retry
        self.tally = Tally()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def send(self, events: list[dict[str, object]]) -> None:
        """Returns when every event has its verdict. Raises ReplayFailed when that cannot be had."""
        body = msgspec.json.encode(events)
        attempt = 0
        try:
            for trial in stamina.retry_context(
                on=self._backoff, attempts=self._attempts, timeout=None, wait_initial=0.2, wait_max=5.0
            ):
                with trial:
                    attempt = trial.num
                    verdicts = self._post(body, len(events))
        except NotAnswered as error:
            raise ReplayFailed(
                f"Gave up after {attempt} attempts ({error}). Start `make up`, or give its --url."
            ) from error
        self.tally = self.tally.plus(verdicts, attempt - 1)

    def _backoff(self, error: Exception) -> bool | float:
        if not isinstance(error, NotAnswered):
            return False
        self._on_retry(str(error))
        if error.retry_after is None:
            return True
        return min(error.retry_after, MOST_SECONDS_TO_WAIT) + random.uniform(0, 0.5)  # noqa: S311 - only jitter

    def _post(self, body: bytes, events: int) -> Verdicts:
        try:
            response = self._client.post(self._url, content=body, headers=self._headers)
        except httpx.TransportError as error:
            raise NotAnswered(f"no answer from {self._url}: {type(error).__name__}") from error
        if response.status_code in RETRYABLE_STATUSES:
            raise NotAnswered(f"the server answered {response.status_code}", _retry_after(response))
        if response.status_code not in (200, 207, 422):
            raise ReplayFailed(_explain(response))
        try:
            verdicts = msgspec.json.decode(response.content, type=Verdicts)
        except msgspec.DecodeError as error:
            raise ReplayFailed(f"{self._url} does not answer like Streamgauge: {error}") from error
        if response.status_code == 422:
            verdicts.rejected = events
        return verdicts


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None


def _explain(response: httpx.Response) -> str:
    remedies = {
        401: "The key is unknown, expired or revoked: make one with `manage.py keys create --scope ingest`.",
        403: "The key lacks the scope `ingest`: make one with `manage.py keys create --scope ingest`.",
        404: "There is no ingest at --url; it is the ingest process, by default http://127.0.0.1:8001.",
    }
    detail = remedies.get(response.status_code, response.text[:300])
    return f"The server answered {response.status_code}. {detail}"
