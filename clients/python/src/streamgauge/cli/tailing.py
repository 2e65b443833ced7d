"""`streamgauge tail`: live events from the server's socket, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from streamgauge.cli.outcomes import NOT_DELIVERED, REFUSED, STORED, CommandFailed, say, usage
from streamgauge.cli.settings import Server, web_server
from streamgauge.cli.topics import OverviewSample, Topic
from streamgauge.retries import RetryPolicy

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

SILENT_SECONDS = 30.0  # the server sends every two
COME_BACK = frozenset({1001, 1006, 1011, 1012, 1013, 4408})
BACKOFF = RetryPolicy(attempts=10, total_seconds=600, first_seconds=0.5)


class Gone(Exception):
    """The connection ended; connect again."""


def add_tail(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "tail", help="show events as they arrive", description=OverviewSample.notice
    )
    parser.add_argument("--project", help="its slug (STREAMGAUGE_PROJECT)")
    parser.add_argument("--count", type=int, help="stop after so many events")
    parser.set_defaults(run=tail)


def tail(arguments: argparse.Namespace) -> int:
    project = arguments.project or os.environ.get("STREAMGAUGE_PROJECT")
    if not project:
        usage("Which project? Set STREAMGAUGE_PROJECT or give --project SLUG.")
    topic = OverviewSample(project)
    server = web_server(arguments, reads=True)
    say(topic.notice)
    for shown, event in enumerate(follow(server, topic), 1):
        print(json.dumps(event, ensure_ascii=False) if arguments.json else one_line(event), flush=True)
        if shown == arguments.count:
            break
    return STORED


def follow(server: Server, topic: Topic) -> Iterator[dict[str, Any]]:
    """Events without end, over as many connections as it takes. Raises CommandFailed."""
    attempt = 0
    while True:
        try:
            for event in _one_connection(server, topic):
                attempt = 0
                yield event
        except Gone as gone:
            attempt += 1
            if attempt >= BACKOFF.attempts:
                raise CommandFailed(NOT_DELIVERED, f"{gone}, {attempt} times. Is the server up?") from gone
            say(f"{gone}; connecting again")
            time.sleep(BACKOFF.backoff(attempt, random.random()))  # noqa: S311 - only jitter


def _one_connection(server: Server, topic: Topic) -> Iterator[dict[str, Any]]:
    try:
        from websockets.exceptions import ConnectionClosed, InvalidStatus
        from websockets.sync.client import connect
    except ImportError:
        raise CommandFailed(REFUSED, "tail needs websockets: pip install 'streamgauge-client[cli]'") from None
    url = f"ws{server.url.removeprefix('http')}/ws/v1/live"
    try:
        with connect(url, open_timeout=10, close_timeout=2) as socket:
            yield from _events(socket, server.key, topic)
    except InvalidStatus as error:
        raise CommandFailed(
            REFUSED, f"{url} answered {error.response.status_code}: give --url of the web process."
        ) from error
    except ConnectionClosed as error:
        code = error.rcvd.code if error.rcvd else 1006
        reason = f"the server closed the socket ({code})"
        if code not in COME_BACK:
            raise CommandFailed(REFUSED, f"{reason}: check the key; its scope must be `read`.") from error
        raise Gone(reason) from error
    except (OSError, TimeoutError) as error:
        raise Gone(f"no live socket at {url} ({error})") from error


def _events(socket: ClientConnection, key: str, topic: Topic) -> Iterator[dict[str, Any]]:
    socket.send(json.dumps({"auth": key}))
    _receive(socket)
    socket.send(json.dumps({"subscribe": topic.name, "params": topic.params()}))
    while True:
        frame = _receive(socket)
        if "seq" in frame:
            socket.send(json.dumps({"ack": frame["seq"]}))
            yield from topic.events(frame)


def _receive(socket: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(socket.recv(timeout=SILENT_SECONDS))
    if frame.get("kind") == "error":
        raise CommandFailed(REFUSED, f"{frame.get('code')}: {frame.get('message')}")
    return frame


def one_line(event: dict[str, Any]) -> str:
    value = "" if event.get("value") is None else f"{event['value']:g}"
    members = (event["time"], event["type"], event.get("source"), event.get("subject"), value)
    return "  ".join(str(member) for member in members if member)
