"""What our management commands share: a named actor in the audit log, and errors as one line."""

import getpass
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

from accounts.audit import acting
from accounts.errors import AccountsError


class AccountsCommand(BaseCommand):
    """Exit codes: 0 done, 1 refused or impossible, 2 wrong arguments."""

    def run(self, **options: Any) -> None:
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with acting(name=_actor(type(self).__module__.rpartition(".")[2])):
                self.run(**options)
        except AccountsError as error:
            raise CommandError(str(error)) from error
        except (OperationalError, InterfaceError) as error:
            first_line = str(error).strip().partition("\n")[0]
            raise CommandError(
                f"The database does not answer ({first_line}). `manage.py provision` starts the local one."
            ) from error

    def print_json(self, value: object) -> None:
        self.stdout.write(json.dumps(value, default=str))


def _actor(command: str) -> str:
    try:
        return f"manage.py {command} ({getpass.getuser()})"
    except (KeyError, OSError):  # a user id without a name, as in many containers
        return f"manage.py {command}"
