"""`manage.py first_run`: an administrator with a generated password, and with --demo a project with keys."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from accounts.commands import AccountsCommand
from accounts.first_run import Administrator, Demo, ensure_administrator, ensure_demo


class Command(AccountsCommand):
    help = "Make what a new installation needs; safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="also the project `demo` and its keys")
        parser.add_argument("--json", action="store_true", help="for programs")

    def run(self, **options: Any) -> None:
        directory = Path(settings.LOCAL_DIR)
        administrator = ensure_administrator(directory=directory)
        demo = ensure_demo(directory=directory) if options["demo"] else None
        if options["json"]:
            self.print_json({"admin": asdict(administrator), "demo": asdict(demo) if demo else None})
        else:
            self._tell(administrator, demo)

    def _tell(self, administrator: Administrator, demo: Demo | None) -> None:
        if administrator.warning:
            self.stderr.write(self.style.WARNING(administrator.warning))
        elif administrator.password:
            self.stdout.write(f"Sign in as {administrator.username} with {administrator.password}")
        else:
            self.stdout.write("There is a superuser already, whose password is not kept here.")
        if demo:
            self.stdout.write(f"Project {demo.project}: key to send events {demo.ingest_key}")
            self.stdout.write(f"Project {demo.project}: key to read them {demo.read_key}")
