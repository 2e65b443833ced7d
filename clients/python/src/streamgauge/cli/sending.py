"""`streamgauge send`: one event from arguments, or NDJSON from stdin as it comes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streamgauge.cli.outcomes import REFUSED, CommandFailed, Outcome, keep_unsent, say, usage
from streamgauge.cli.rows import Row, read_ndjson
from streamgauge.cli.settings import Server, ingest_server
from streamgauge.client import Client
from streamgauge.errors import BufferFull, InvalidEvent, NotStored, RequestRefused
from streamgauge.ids import new_id

WAIT_SECONDS = 90.0  # for room: longer than the retries of one batch


def add_send(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "send",
        help="send one event, or NDJSON from stdin",
        description="With --type sends one event; without, each line of stdin is an event in JSON.",
    )
    for name in ("type", "id", "source", "subject", "key-of-event", "time"):
        parser.add_argument(f"--{name}", dest=f"event_{name.partition('-')[0]}", metavar=name.upper())
    parser.add_argument("--value", dest="event_value", type=float)
    parser.add_argument("--data", dest="event_data", metavar="JSON", help="an object")
    parser.add_argument("--buffer", type=Path, help="a file for events that the server does not take now")
    parser.add_argument(
        "--unsent",
        type=Path,
        default=Path("streamgauge-unsent.ndjson"),
        help="where events go that could not be delivered, without --buffer (default: %(default)s)",
    )
    parser.set_defaults(run=send)


def send(arguments: argparse.Namespace) -> int:
    server = ingest_server(arguments)
    rows: Iterable[Row] = (
        [Row(1, _event(arguments))] if arguments.event_type else read_ndjson(sys.stdin.buffer)
    )
    outcome = send_rows(server, rows, buffer=arguments.buffer, unsent=arguments.unsent)
    outcome.show(as_json=arguments.json)
    return outcome.exit_code


def send_rows(server: Server, rows: Iterable[Row], *, buffer: Path | None, unsent: Path) -> Outcome:
    """Every row that was read ends stored, rejected, in the buffer, or in the file `unsent`."""
    outcome = Outcome()
    client = Client(
        server.url, server.key, buffer=buffer, on_rejected=outcome.reject, wait_when_full=WAIT_SECONDS
    )
    left: list[dict[str, Any]] = []
    try:
        left += _send_each(client, rows, outcome)
    finally:
        try:
            outcome.on_disk = client.close()
        except NotStored as error:
            left += error.undelivered
        outcome.add(client.counts)
        outcome.undelivered = len(left)
        keep_unsent(left, unsent)
    if isinstance(client.trouble, RequestRefused):
        raise CommandFailed(REFUSED, f"{client.trouble} Check --url and --key.")
    return outcome


def _send_each(client: Client, rows: Iterable[Row], outcome: Outcome) -> list[dict[str, Any]]:
    """Stops at the first row for which there is no room in time, and returns its event."""
    for row in rows:
        if isinstance(row.event, InvalidEvent):
            outcome.reject(row.event, line=row.line)
            continue
        try:
            client.send(row.event)
        except InvalidEvent as error:
            outcome.reject(error, line=row.line)
        except BufferFull as full:
            say(f"stopped after line {row.line}: {full}")
            return [{**row.event, "id": row.event.get("id") or new_id()}]
    return []


def _event(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("type", "id", "source", "subject", "key", "time", "value")
    event = {name: getattr(arguments, f"event_{name}") for name in names}
    if arguments.event_data is not None:
        event["data"] = _object(arguments.event_data)
    return {name: value for name, value in event.items() if value is not None}


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        usage(f"--data is not JSON: {error}")
    if not isinstance(found, dict):
        usage('--data must be an object, such as \'{"by": "Ada"}\'.')
    return found
