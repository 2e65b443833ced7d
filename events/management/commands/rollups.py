"""`manage.py rollups status|refresh`: how far the rollup is behind, and bringing it up to date now."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from events.rollup_status import RollupStatus, read_rollup_status
from events.rollups import SETTLE, Refresh, refresh_rollups


class Command(BaseCommand):
    help = (
        "Show the state of the 1-minute rollup, or refresh it now. Exit code 1: not everything was refreshed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        status = actions.add_parser("status", help="edition, lag, rows, size and the last error")
        refresh = actions.add_parser("refresh", help="bring the dirty minutes up to date")
        refresh.add_argument("--dry-run", action="store_true", help="say what would be refreshed, and stop")
        refresh.add_argument("--seconds", type=float, default=300.0, help="stop after about this long")
        refresh.add_argument("--settle", type=float, default=SETTLE.total_seconds(),
                             help="leave out minutes that ended less than this many seconds ago")  # fmt: skip
        for action in (status, refresh):
            action.add_argument("--json", action="store_true", help="one JSON object instead of lines")
            action.add_argument("--database", default="default", help="the database alias")

    def handle(self, *args: Any, **options: Any) -> None:
        using, as_json = options["database"], options["json"]
        if options["action"] == "status" or options["dry_run"]:
            settle = timedelta(seconds=options.get("settle", SETTLE.total_seconds()))
            status = read_rollup_status(settle=settle, using=using)
            self._print(
                status.as_json(), _planned(status) if options.get("dry_run") else _lines(status), as_json
            )
            return
        refresh = refresh_rollups(
            max_buckets=1_000_000,
            seconds=options["seconds"],
            settle=timedelta(seconds=options["settle"]),
            using=using,
        )
        self._print(_refresh_json(refresh), [_refreshed(refresh)], as_json)
        if not refresh.finished:
            raise SystemExit(1)

    def _print(self, found: dict[str, Any], lines: list[str], as_json: bool) -> None:
        self.stdout.write(json.dumps(found) if as_json else "\n".join(lines))


def _lines(status: RollupStatus) -> list[str]:
    lines = [
        f"edition         {status.edition} (TimescaleDB {status.timescaledb}); rollup_1m is a {status.kind}",
        f"rows            about {status.rows:,}",
        f"size            {status.bytes / 2**20:,.1f} MiB",
        f"dirty minutes   {status.dirty_buckets:,}, of which {status.due_buckets:,} are due",
        f"lag             {status.lag_seconds:,.1f} s",
        f"last refresh    {status.refreshed_at.isoformat() if status.refreshed_at else 'never'}",
    ]
    if status.last_error and status.last_error_at:
        lines.append(f"last error      {status.last_error_at.isoformat()}: {status.last_error}")
    return lines


def _planned(status: RollupStatus) -> list[str]:
    return [f"Would refresh {status.due_buckets:,} minutes. Nothing was changed."]


def _refresh_json(refresh: Refresh) -> dict[str, Any]:
    return {
        "buckets": refresh.buckets,
        "ledger_rows": refresh.ledger_rows,
        "finished": refresh.finished,
        "busy": refresh.busy,
    }


def _refreshed(refresh: Refresh) -> str:
    if refresh.busy:
        return "Another refresh is running; try again when it has finished."
    done = f"Refreshed {refresh.buckets:,} minutes."
    return done if refresh.finished else f"{done} More are due: run it again, or give it more --seconds."
