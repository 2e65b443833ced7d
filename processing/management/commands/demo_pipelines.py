"""`manage.py demo_pipelines`: the pipelines a project starts with."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Project
from processing.services import ensure_default_pipelines


class Command(BaseCommand):
    help = "Deploy the default pipelines of a project, unless they are there. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, help="the project's slug")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}: see the admin for their names.")
        for pipeline in ensure_default_pipelines(project=project):
            state = "enabled" if pipeline.enabled else "paused"
            self.stdout.write(f"{pipeline.current_version}, {state}.")
