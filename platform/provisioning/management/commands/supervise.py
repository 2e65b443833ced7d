"""`manage.py supervise`: everything that `make up` and `make demo` start, in the foreground."""

import asyncio
import os
import signal
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from provisioning import launch, services
from provisioning.errors import ProvisioningError
from provisioning.places import Places


class Command(BaseCommand):
    help = "Bring the servers up, migrate, and run web, ingest, worker and beat until Ctrl-C."
    requires_system_checks = []  # nothing is configured before this has run

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="with a demo project and real flights")

    def handle(self, *args: Any, **options: Any) -> None:
        places = Places(Path(settings.BASE_DIR))
        signal.signal(signal.SIGTERM, _interrupt)
        before = launch.running_servers(places)
        try:
            self._run(places, demo=options["demo"])
        except ProvisioningError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stderr.write("Stopping.")
        finally:
            launch.stop_what_was_started(places, before, self._say)

    def _run(self, places: Places, *, demo: bool) -> None:
        known = dict(os.environ)
        launch.require_free_ports(known)
        launch.forget_own_urls(places, known)
        services.provision(places=places, environment=known, say=self._say)
        environment = launch.child_environment(places, known)
        self._say("Bringing the tables up to date.")
        made = launch.prepare(places=places, environment=environment, demo=demo)
        asyncio.run(launch.supervise(places=places, environment=environment, accounts=made, say=self._say))

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
