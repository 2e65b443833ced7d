"""`manage.py with_servers COMMAND…`: provision, run one command, stop what was started for it."""

import argparse
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from provisioning import launch, services
from provisioning.errors import ProvisioningError
from provisioning.packages import install_packages
from provisioning.places import Places


class Command(BaseCommand):
    help = "Run one command with PostgreSQL and Redis up; servers that it found running stay up."
    requires_system_checks = []  # nothing is configured before this has run

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--tool",
            action="append",
            default=[],
            metavar="NAME",
            help="a program the command needs, installed from the Debian package of that name when missing",
        )
        parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")

    def handle(self, *args: Any, **options: Any) -> None:
        places = Places(Path(settings.BASE_DIR))
        before = launch.running_servers(places)
        try:
            code = self._run(places, options["words"], options["tool"])
        except ProvisioningError as error:
            raise CommandError(str(error)) from error
        finally:
            launch.stop_what_was_started(places, before, self.stderr.write)
        raise SystemExit(code)

    def _run(self, places: Places, words: list[str], tools: list[str]) -> int:
        known = dict(os.environ)
        launch.forget_own_urls(places, known)
        install_packages([name for name in tools if shutil.which(name) is None], self.stderr.write)
        services.provision(places=places, environment=known, say=self.stderr.write)
        command = words[1:] if words[:1] == ["--"] else words
        try:
            process = subprocess.Popen(command, env=launch.child_environment(places, known), cwd=places.root)
        except FileNotFoundError as error:
            raise CommandError(f"{command[0]} is not installed.") from error
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the terminal told the command too: let it end by itself
                continue
