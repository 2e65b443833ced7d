"""`manage.py keys create|list|revoke`."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.allowances import Allowance
from accounts.errors import InvalidKey
from accounts.key_reader import KeyReader
from accounts.models import ApiKey, AuditEntry, Project
from accounts.services import create_project

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def project() -> Project:
    return create_project(slug="demo", name="Demo")


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("keys", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_create_prints_the_key_once_as_json() -> None:
    made = json.loads(run("create", "--project", "demo", "--scope", "ingest", "--json"))
    assert set(made) == {"id", "key", "prefix"}
    identity = KeyReader().resolve(made["key"])
    assert (identity.key_id, identity.prefix) == (made["id"], made["prefix"])
    assert made["key"] not in run("list", "--json")
    assert made["prefix"] in run("list")


def test_create_prints_nothing_but_the_key_for_a_shell() -> None:
    text = run("create", "--project", "demo", "--scope", "read", "--scope", "ingest").strip()
    assert KeyReader().resolve(text).scopes == {"read", "ingest"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2031-02-03", datetime(2031, 2, 3, tzinfo=UTC)),
        ("2031-02-03T04:05:06Z", datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("2031-02-03T04:05:06+02:00", datetime(2031, 2, 3, 2, 5, 6, tzinfo=UTC)),
    ],
)
def test_a_key_expires_when_told(given: str, expected: datetime) -> None:
    run("create", "--project", "demo", "--scope", "read", "--expires", given)
    assert ApiKey.objects.get().expires_at == expected


def test_a_key_expires_after_a_while() -> None:
    run("create", "--project", "demo", "--scope", "read", "--expires", "90d")
    expires_at = ApiKey.objects.get().expires_at
    assert expires_at is not None
    assert abs(expires_at - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)


@pytest.mark.parametrize("given", ["soon", "0d", "2031-13-01", "2031-02-30T00:00:00Z", "٣d"])
def test_an_expiry_that_is_no_time_is_refused(given: str) -> None:
    with pytest.raises(CommandError, match="not a time"):
        run("create", "--project", "demo", "--scope", "read", "--expires", given)


def test_an_expiry_in_the_past_is_refused() -> None:
    with pytest.raises(CommandError, match="in the future"):
        run("create", "--project", "demo", "--scope", "read", "--expires", "2001-01-01")


def test_an_unknown_project_is_refused_and_those_there_are_named() -> None:
    with pytest.raises(CommandError, match=r"no project 'other'\. Projects: demo"):
        run("create", "--project", "other", "--scope", "read")


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice: 'root'"):
        run("create", "--project", "demo", "--scope", "root")


@pytest.mark.parametrize("by", ["id", "prefix", "key"])
def test_revoke_takes_an_id_a_prefix_or_a_key(by: str) -> None:
    made = json.loads(run("create", "--project", "demo", "--scope", "ingest", "--json"))
    answer = json.loads(run("revoke", str(made[by]), "--json"))
    assert answer == {"id": made["id"], "prefix": made["prefix"], "revoked": True}
    with pytest.raises(InvalidKey, match="revoked"):
        KeyReader().resolve(made["key"])
    assert json.loads(run("revoke", str(made[by]), "--json"))["revoked"] is False
    assert json.loads(run("list", "--json"))[0]["state"] == "revoked"


@pytest.mark.parametrize("reference", ["nothing", "999999999", "9" * 30, "٣", ""])
def test_revoke_of_what_does_not_exist_is_refused(reference: str) -> None:
    with pytest.raises(CommandError, match="There is no key"):
        run("revoke", reference)


def test_list_can_be_of_one_project() -> None:
    create_project(slug="other", name="Other")
    run("create", "--project", "other", "--scope", "read")
    assert json.loads(run("list", "--project", "demo", "--json")) == []
    assert [key["project"] for key in json.loads(run("list", "--json"))] == ["other"]


def test_the_audit_log_names_the_command() -> None:
    run("create", "--project", "demo", "--scope", "read")
    assert AuditEntry.objects.latest("id").actor_name.startswith("manage.py keys")


def test_create_takes_limits_and_list_shows_them() -> None:
    limits = ["--rate", "100", "--burst", "500", "--daily-quota", "1000000"]
    allowed = ["--allow-type", "order.*", "--allow-type", "ping", "--allow-from", "192.0.2.7"]
    made = json.loads(run("create", "--project", "demo", "--scope", "ingest", *limits, *allowed, "--json"))
    found = KeyReader().resolve(made["key"]).limits
    assert found is not None
    assert (found.key, found.types) == (Allowance(100, 500, 1_000_000), ("order.*", "ping"))
    (listed,) = json.loads(run("list", "--json"))
    assert (listed["rate_limit"], listed["rate_burst"], listed["daily_quota"]) == (100, 500, 1_000_000)
    assert listed["allowed_addresses"] == ["192.0.2.7/32"]
    assert "192.0.2.7/32" in str(AuditEntry.objects.latest("id").changes)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--burst", "5"], "A burst needs a rate limit"),
        (["--rate", "0"], "rate_limit: .*greater than or equal to 1"),
        (["--daily-quota", "-1"], "daily_quota"),
        (["--allow-from", "everywhere"], "allowed_addresses: 'everywhere' is no address or network"),
        (["--allow-type", "a b"], "allowed_types: 'a b' is no glob"),
    ],
)
def test_limits_that_make_no_sense_are_refused(given: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run("create", "--project", "demo", "--scope", "ingest", *given)
    assert not ApiKey.objects.exists()
