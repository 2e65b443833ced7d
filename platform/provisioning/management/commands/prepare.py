"""`manage.py prepare`: tables, static files and first accounts, in one process (each start costs seconds)."""

from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Migrate, collect static files where settings want that, and print what first_run --json says."
    requires_system_checks = []  # `make check` and `make test` make them; here they would cost a second

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="also the demo project and its keys")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        if settings.STATIC_ROOT:
            call_command("collectstatic", interactive=False, verbosity=0)
        call_command("first_run", demo=options["demo"], json=True, stdout=self.stdout)
        if options["demo"]:
            call_command("demo_pipelines", project="demo", stdout=StringIO())  # the last line is first_run's
