"""`streamgauge import FILE`: a file as batches of events, safe to run again."""

from __future__ import annotations

import argparse
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from streamgauge.cli.outcomes import NOT_DELIVERED, REFUSED, CommandFailed, Outcome, usage
from streamgauge.cli.progress import progress
from streamgauge.cli.rows import Row, digest_of, format_of, identified, open_rows, read_rows
from streamgauge.cli.settings import Server, ingest_server, web_server
from streamgauge.cli.uploading import upload
from streamgauge.client import Client
from streamgauge.core import Bound
from streamgauge.errors import BufferFull, InvalidEvent, NotStored, Rejected, RequestRefused, Undelivered
from streamgauge.receipts import Receipt

TOGETHER = 500
WAIT_SECONDS = 90.0  # for room: longer than the retries of one batch
WINDOW = Bound(events=5_000)  # read ahead of the server's answers


def add_import(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "import",
        help="send a file of events: NDJSON or CSV, also .gz",
        description="Rows without an id get one made of the file's content and the line: running the same command"
        " again, within the 24 hours that the server remembers ids, stores nothing twice.",
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--format", choices=["ndjson", "csv"], help="by the file's name when left out")
    parser.add_argument("--type", dest="kind", help="for rows that have none")
    parser.add_argument("--run", dest="run_name", help="makes the ids instead of the file's content")
    parser.add_argument("--from-line", type=int, default=1, help="leave out the lines before it")
    parser.add_argument("--server-side", action="store_true", help="upload the file; the server imports it")
    parser.set_defaults(run=import_file)


def import_file(arguments: argparse.Namespace) -> int:
    if not arguments.file.is_file():
        usage(f"{arguments.file} is not a file.")
    if arguments.server_side:
        outcome = upload(web_server(arguments, reads=False), arguments.file, file_format=arguments.format)
    else:
        outcome = _send_file(ingest_server(arguments), arguments)
    outcome.show(as_json=arguments.json)
    return outcome.exit_code


def _send_file(server: Server, arguments: argparse.Namespace) -> Outcome:
    path: Path = arguments.file
    file_format = arguments.format or format_of(path)
    if file_format is None:
        usage(f"What {path.name} holds cannot be told by its name: give --format ndjson or csv.")
    run = arguments.run_name or digest_of(path)
    file, position = open_rows(path)
    try:
        with file, progress(path.name, path.stat().st_size) as advance:
            rows = identified(read_rows(file, file_format), run=run, kind=arguments.kind)
            wanted = (row for row in rows if row.line >= arguments.from_line)
            sender = FileSender(server, first_line=arguments.from_line)
            return sender.send(wanted, lambda: advance(position()))
    except (OSError, EOFError, zlib.error) as error:
        raise CommandFailed(NOT_DELIVERED, f"{path} cannot be read to its end: {error}.") from error


class FileSender:
    """Sends rows in order, knows up to which line all have their verdict, and stops at the first that cannot."""

    def __init__(self, server: Server, *, first_line: int) -> None:
        self._outcome = Outcome()
        self._client = Client(server.url, server.key, bound=WINDOW, wait_when_full=WAIT_SECONDS)
        self._waiting: deque[tuple[int, Receipt]] = deque()
        self._next_line = first_line

    def send(self, rows: Iterator[Row], advance: Callable[[], None]) -> Outcome:
        """Raises CommandFailed, saying with which line to continue."""
        try:
            try:
                while together := list(islice(rows, TOGETHER)):
                    self._send_together(together)
                    advance()
            finally:
                self._close()
            self._settle(wait=True)
        except (BufferFull, Undelivered) as error:
            code = REFUSED if isinstance(error, RequestRefused) else NOT_DELIVERED
            raise CommandFailed(
                code,
                f"{error}. Everything before line {self._next_line} is settled: {self._outcome.accepted}"
                f" stored. Run the same command again with --from-line {self._next_line}.",
            ) from error
        return self._outcome

    def _send_together(self, rows: list[Row]) -> None:
        for row in rows:
            if isinstance(row.event, InvalidEvent):
                self._outcome.reject(row.event, line=row.line)
                continue
            try:
                receipt = self._client.send(row.event)
            except InvalidEvent as error:
                self._outcome.reject(error, line=row.line)
                continue
            receipt.seen = True
            self._waiting.append((row.line, receipt))
        self._settle(wait=False)

    def _settle(self, *, wait: bool) -> None:
        """Takes the verdicts that are there, in order. Raises Undelivered."""
        while self._waiting and (wait or self._waiting[0][1].done()):
            line, receipt = self._waiting[0]
            try:
                receipt.result(0)
            except Rejected as error:
                self._outcome.reject(error, line=line)
            self._waiting.popleft()
            self._next_line = line + 1

    def _close(self) -> None:
        """Every receipt has its verdict then, if only that it was not delivered."""
        try:
            self._client.close(WAIT_SECONDS)
        except NotStored:
            return  # its receipts say so too
        finally:
            self._outcome.add(self._client.counts)
