"""`manage.py import_events FILE`: import a file of events, and watch it."""

import getpass
import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from accounts.errors import InvalidRequest
from accounts.selectors import get_project
from events.errors import RequestRefused
from events.imports.describing import describe_import
from events.imports.files import receive
from events.imports.following import describe, follow_import, showing
from events.imports.mapping import mapping_document, parse_mapping
from events.imports.models import ImportJob
from events.imports.previewing import Preview, preview_import
from events.imports.services import cancel_import, create_import, delete_import
from events.imports.sniffing import FORMATS
from events.writer import close_writers

PIECE: Final = 1024 * 1024
PREVIEW_HELP: Final = "print a mapping for the file and what its first rows become; store nothing"
FOLLOW_HELP: Final = "show progress to the end, and do the work here if no worker does"


class Command(BaseCommand):
    help = (
        "Import NDJSON, CSV or Parquet, plain, gzip or zstd. Exit codes: 0 all rows stored (or queued, without "
        "--follow), 1 some were refused, 2 the import failed or was cancelled."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--project", required=True, help="the project's slug")
        parser.add_argument(
            "--mapping", type=Path, help="JSON file: columns to event fields (CSV and Parquet)"
        )
        parser.add_argument(
            "--format", choices=FORMATS, default="", help="when neither name nor content tells"
        )
        parser.add_argument("--preview", action="store_true", help=PREVIEW_HELP)
        parser.add_argument("--follow", action="store_true", help=FOLLOW_HELP)
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            job = self._create(options)
            if options["preview"]:
                self._preview(job, options["json"])
                return
        except (RequestRefused, InvalidRequest, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        if job.state == ImportJob.State.READY:
            _drop(job)
            raise CommandError(
                "This file needs a --mapping; --preview prints one to start from.", returncode=2
            )
        if options["follow"]:
            self._follow(job, quiet=options["json"])
        self._say(job, options)
        _exit(job)

    def _create(self, options: dict[str, Any]) -> ImportJob:
        project = get_project(options["project"])
        mapping = parse_mapping(options["mapping"].read_bytes()) if options["mapping"] else None
        path: Path = options["file"]
        return create_import(
            received=receive(_pieces(path), announced=path.stat().st_size),
            project_id=project.pk,
            created_by=f"{getpass.getuser()} (import_events)",
            name=path.name,
            file_format=options["format"],
            mapping=mapping,
            start=not options["preview"],
        )

    def _preview(self, job: ImportJob, as_json: bool) -> None:
        try:
            preview = preview_import(job)
        finally:
            _drop(job)
        document = mapping_document(preview.mapping) if preview.mapping else None
        if as_json:
            rows = [{"line": row.line, "code": row.error.code if row.error else None} for row in preview.rows]
            self.stdout.write(json.dumps({"mapping": document, "rows": rows}))
            return
        if document:
            self.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode())
        self.stderr.write("\n".join(_row_lines(preview)))

    def _follow(self, job: ImportJob, *, quiet: bool) -> None:
        console = Console(file=self.stderr if quiet else self.stdout)  # type: ignore[arg-type]
        try:
            with showing(console) as show:
                follow_import(job, show)
        except KeyboardInterrupt:
            self.stderr.write(f"Import {job.pk} goes on in the workers.")
            raise SystemExit(130) from None
        finally:
            close_writers()

    def _say(self, job: ImportJob, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(describe_import(job)))
        elif not options["follow"]:
            self.stdout.write(f"Import {job.pk}: {describe(job)}. Workers do the rest; --follow shows it.")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _drop(job: ImportJob) -> None:
    """An import that is not to be: its row and its file."""
    delete_import(job=cancel_import(job=job))


def _row_lines(preview: Preview) -> Iterator[str]:
    for row in preview.rows:
        verdict = f"{row.error.code} {row.error.pointer}: {row.error.message}" if row.error else "ok"
        yield f"line {row.line}: {verdict}"


def _exit(job: ImportJob) -> None:
    if job.state in {ImportJob.State.FAILED, ImportJob.State.CANCELLED}:
        raise CommandError(job.error or "The import was cancelled.", returncode=2)
    if job.rejected:
        raise CommandError(f"{job.rejected:,} rows were refused; see the import {job.pk}.", returncode=1)
