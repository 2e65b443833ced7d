"""`manage.py provision`: the local PostgreSQL and Redis under .local/, or a check of the ones named."""

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from provisioning import services
from provisioning.errors import ProvisioningError
from provisioning.places import Places

QUESTION = "Delete the private PostgreSQL and Redis of this checkout, with every event in them? Type 'yes': "


class Command(BaseCommand):
    help = "Start (or find) the local PostgreSQL with TimescaleDB and the local Redis. Safe to repeat."
    requires_system_checks = []  # nothing is configured before this has run

    def add_arguments(self, parser: CommandParser) -> None:
        action = parser.add_mutually_exclusive_group()
        action.add_argument("--stop", action="store_true", help="stop both; keep their data")
        action.add_argument(
            "--status", action="store_true", help="say how both are; exit 1 unless both can serve"
        )
        action.add_argument("--destroy", action="store_true", help="stop both and delete their data")
        parser.add_argument("--json", action="store_true", help="print what a program may read")
        parser.add_argument("--noinput", action="store_true", help="do not ask before --destroy")

    def handle(self, *args: Any, **options: Any) -> None:
        places = Places(Path(settings.BASE_DIR))
        try:
            if options["status"]:
                self._status(places, as_json=options["json"])
            elif options["stop"]:
                services.stop(places=places, say=self._say)
            elif options["destroy"]:
                self._destroy(places, ask=not options["noinput"])
            else:
                self._provision(places, as_json=options["json"])
        except ProvisioningError as error:
            raise CommandError(str(error)) from error

    def _say(self, line: str) -> None:
        self.stderr.write(line, self.style.NOTICE)

    def _provision(self, places: Places, *, as_json: bool) -> None:
        started = services.provision(places=places, environment=os.environ, say=self._say)
        if as_json:
            self.stdout.write(json.dumps({"started": started}))
        else:
            self.stdout.write("PostgreSQL with TimescaleDB and Redis are ready.")

    def _status(self, places: Places, *, as_json: bool) -> None:
        found = services.status(places=places, environment=os.environ)
        if as_json:
            self.stdout.write(json.dumps([each.as_json() for each in found]))
        else:
            for each in found:
                where = f" on 127.0.0.1:{each.port} (pid {each.pid})" if each.pid else ""
                self.stdout.write(f"{each.server}: {each.state}{where}")
        if any(each.state in {"stopped", "absent"} for each in found):
            raise SystemExit(1)

    def _destroy(self, places: Places, *, ask: bool) -> None:
        if ask and input(QUESTION).strip() != "yes":
            raise CommandError("Nothing was deleted.")
        services.destroy(places=places, say=self._say)
