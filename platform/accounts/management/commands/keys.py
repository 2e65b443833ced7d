"""`manage.py keys create|list|revoke`: API keys from the command line."""

import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from accounts.allowances import Allowance
from accounts.commands import AccountsCommand
from accounts.models import ApiKey
from accounts.roles import Scope
from accounts.selectors import get_key, get_project, list_keys
from accounts.services import create_key, revoke_key

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def expiry(text: str) -> datetime:
    """A time (RFC 3339), a date (its beginning, UTC), or how long from now: 90d, 12h, 30m."""
    if match := re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text, re.ASCII):
        return timezone.now() + timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        if date := parse_date(text):
            return datetime(date.year, date.month, date.day, tzinfo=UTC)
        parsed = parse_datetime(text)
    except ValueError:
        parsed = None
    if parsed is None:
        raise ArgumentTypeError(f"{text!r} is not a time: give 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z")
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


class Command(AccountsCommand):
    help = "Create, list and revoke API keys."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="create|list|revoke")
        create = actions.add_parser("create", help="Make a key; it is shown this once.")
        create.add_argument("--project", required=True, help="the project's slug")
        create.add_argument(
            "--scope", required=True, action="append", choices=Scope.values, help="may be repeated"
        )
        create.add_argument("--name", default="", help="which program uses it")
        create.add_argument("--expires", type=expiry, help="90d, 12h, a date, or a time; default: never")
        create.add_argument("--rate", type=int, metavar="N", help="events a second; default: no limit")
        create.add_argument(
            "--burst", type=int, metavar="N", help="events at once; default: ten seconds' worth"
        )
        create.add_argument(
            "--daily-quota", type=int, metavar="N", help="events a day (UTC); default: no limit"
        )
        create.add_argument(
            "--allow-type", action="append", default=[], metavar="GLOB", help="may be repeated"
        )
        create.add_argument(
            "--allow-from", action="append", default=[], metavar="CIDR", help="may be repeated"
        )
        listing = actions.add_parser("list", help="Show the keys there are, without their secrets.")
        listing.add_argument("--project", help="only this project's")
        revoke = actions.add_parser("revoke", help="End a key for good, everywhere within a second.")
        revoke.add_argument("key", help="its id or its prefix")
        for action in (create, listing, revoke):
            action.add_argument("--json", action="store_true", help="for programs")

    def run(self, **options: Any) -> None:
        {"create": self._create, "list": self._list, "revoke": self._revoke}[options["action"]](options)

    def _create(self, options: dict[str, Any]) -> None:
        created = create_key(
            project=get_project(options["project"]),
            scopes=options["scope"],
            name=options["name"],
            expires_at=options["expires"],
            allowance=Allowance(options["rate"], options["burst"], options["daily_quota"]),
            allowed_types=options["allow_type"],
            allowed_addresses=options["allow_from"],
        )
        if options["json"]:
            self.print_json({"id": created.key.pk, "key": created.text, "prefix": created.key.prefix})
            return
        self.stdout.write(created.text)
        self.stderr.write("Copy the key now: it is not stored and cannot be shown again.")

    def _list(self, options: dict[str, Any]) -> None:
        projects = [get_project(options["project"])] if options["project"] else None
        keys = list_keys(projects=projects)
        if options["json"]:
            self.print_json([_described(key) for key in keys])
            return
        rows: list[tuple[str, ...]] = [("ID", "PREFIX", "PROJECT", "SCOPES", "STATE", "LAST USED", "NAME")]
        rows += [_row(key) for key in keys]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            self.stdout.write("  ".join(map(str.ljust, row, widths)).rstrip())

    def _revoke(self, options: dict[str, Any]) -> None:
        key = get_key(options["key"])
        revoked = revoke_key(key=key)
        if options["json"]:
            self.print_json({"id": key.pk, "prefix": key.prefix, "revoked": revoked})
        elif revoked:
            self.stdout.write(f"Revoked {key.prefix} ({key.name}).")
        else:
            self.stdout.write(f"{key.prefix} had been revoked already.")


def _described(key: ApiKey) -> dict[str, Any]:
    times = {name: getattr(key, name) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
    return {
        "id": key.pk,
        "prefix": key.prefix,
        "project": key.project.slug,
        "name": key.name,
        "scopes": key.scopes,
        "state": key.state_at(timezone.now()),
        "rate_limit": key.rate_limit,
        "rate_burst": key.rate_burst,
        "daily_quota": key.daily_quota,
        "allowed_types": key.allowed_types,
        "allowed_addresses": key.allowed_addresses,
        **{name: at.isoformat() if at else None for name, at in times.items()},
    }


def _row(key: ApiKey) -> tuple[str, ...]:
    used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
    state = key.state_at(timezone.now())
    return (str(key.pk), key.prefix, key.project.slug, ",".join(key.scopes), state, used, key.name)
