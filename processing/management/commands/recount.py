"""`manage.py recount`: windows against raw events."""

from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from processing.errors import NotRecountable
from processing.models import Pipeline
from processing.recounting import describe, recount

SHOWN = 50
NOT_RECOUNTABLE = 2


class Command(BaseCommand):
    help = (
        "Compare a pipeline's closed windows with raw events. Exits 1 on a difference, 2 when it cannot tell."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--pipeline", required=True, help="the pipeline's name")
        parser.add_argument("--project", help="the project's slug, when several have a pipeline of this name")
        parser.add_argument(
            "--from", dest="start", type=_instant, help="RFC 3339; default an hour before --to"
        )
        parser.add_argument("--to", dest="end", type=_instant, help="RFC 3339; default now")

    def handle(self, *args: Any, **options: Any) -> None:
        end = options["end"] or datetime.now(UTC)
        start = options["start"] or end - timedelta(hours=1)
        pipeline = _pipeline(options["pipeline"], options["project"])
        try:
            found = recount(pipeline=pipeline, start=start, end=end)
        except NotRecountable as error:
            raise CommandError(f"Not recountable: {error}", returncode=NOT_RECOUNTABLE) from error
        for line in describe(found.differences[:SHOWN]):
            self.stdout.write(line)
        summary = f"{found.windows} windows, {found.events} events, {len(found.differences)} differences."
        if found.differences:
            raise CommandError(summary, returncode=1)
        self.stdout.write(summary)


def _instant(text: str) -> datetime:
    """Raises ValueError, which argparse turns into a message."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _pipeline(name: str, project: str | None) -> Pipeline:
    found = Pipeline.objects.select_related("project").filter(name=name)
    if project:
        found = found.filter(project__slug=project)
    pipelines = list(found[:2])
    if len(pipelines) == 1:
        return pipelines[0]
    if pipelines:
        raise CommandError(
            f"Several projects have a pipeline {name!r}: say which with --project.", returncode=2
        )
    raise CommandError(f"There is no pipeline {name!r}: see the admin for their names.", returncode=2)
