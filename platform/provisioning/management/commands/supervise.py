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
from provisioning.tls import ensure_caddy


class Command(BaseCommand):
    help = "Bring the servers up, migrate, and run web, ingest, worker and beat until Ctrl-C."
    requires_system_checks = []  # nothing is configured before this has run

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="with a demo project and real flights")
        parser.add_argument("--tls", action="store_true", help="behind Caddy with a local certificate")

    def handle(self, *args: Any, **options: Any) -> None:
        places = Places(Path(settings.BASE_DIR))
        signal.signal(signal.SIGTERM, _interrupt)
        before = launch.running_servers(places)
        try:
            self._run(places, demo=options["demo"], tls=options["tls"])
        except ProvisioningError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stderr.write("Stopping.")
        finally:
            launch.stop_what_was_started(places, before, self._say)

    def _run(self, places: Places, *, demo: bool, tls: bool) -> None:
        known = {**os.environ, **({"STREAMGAUGE_BEHIND_TLS": "1"} if tls else {})}
        launch.require_free_ports(known, tls=tls)
        launch.forget_own_urls(places, known)
        services.provision(places=places, environment=known, say=self._say)
        if tls:
            ensure_caddy(self._say)
        environment = launch.child_environment(places, known)
        self._say("Bringing the tables up to date.")
        made = launch.prepare(places=places, environment=environment, demo=demo)
        asyncio.run(
            launch.supervise(places=places, environment=environment, accounts=made, say=self._say, tls=tls)
        )

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
