"""`manage.py first_run`: a new installation, and the same again."""

import json
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.key_reader import KeyReader
from accounts.models import ApiKey, Project, User
from accounts.services import revoke_key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def local(settings: Settings, tmp_path: Path) -> Path:
    settings.LOCAL_DIR = tmp_path / "local"
    return tmp_path / "local"


def run(*arguments: str) -> Any:
    out = StringIO()
    call_command("first_run", "--json", *arguments, stdout=out)
    return json.loads(out.getvalue())


def test_the_first_run_makes_an_administrator_with_a_password_of_its_own(local: Path) -> None:
    admin = run()["admin"]
    assert admin["created"] is True
    assert len(admin["password"]) >= 20
    assert User.objects.get(username="admin").check_password(admin["password"])
    assert stat.S_IMODE((local / "admin").stat().st_mode) == 0o600


def test_a_second_run_changes_nothing_and_shows_the_same_again() -> None:
    first, second = run("--demo"), run("--demo")
    assert second["admin"] == {**first["admin"], "created": False}
    assert second["demo"] == {**first["demo"], "created": False}
    assert (User.objects.count(), Project.objects.count(), ApiKey.objects.count()) == (1, 1, 2)


def test_an_existing_superuser_is_enough() -> None:
    User.objects.create_superuser("root", password="a long enough one")
    admin = run()["admin"]
    assert (admin["created"], admin["password"]) == (False, None)
    assert User.objects.count() == 1


def test_a_changed_password_is_warned_about_and_not_shown() -> None:
    run()
    user = User.objects.get()
    user.set_password("another long one")
    user.save()
    admin = run()["admin"]
    assert admin["password"] is None
    assert "no longer works" in admin["warning"]
    err = StringIO()
    call_command("first_run", stdout=StringIO(), stderr=err)
    assert "changepassword admin" in err.getvalue()


def test_an_admin_who_is_no_superuser_is_not_taken_over() -> None:
    User.objects.create_user("admin")
    with pytest.raises(CommandError, match="createsuperuser"):
        run()


def test_the_demo_s_keys_work_and_are_kept_for_its_owner_alone(local: Path) -> None:
    demo = run("--demo")["demo"]
    assert KeyReader().resolve(demo["ingest_key"]).scopes == {"ingest"}
    assert KeyReader().resolve(demo["read_key"]).scopes == {"read"}
    assert json.loads((local / "demo.json").read_text()) == {
        "project": "demo",
        "ingest_key": demo["ingest_key"],
        "read_key": demo["read_key"],
    }
    assert stat.S_IMODE((local / "demo.json").stat().st_mode) == 0o600


def test_revoked_deleted_or_forgotten_demo_keys_are_made_anew(local: Path) -> None:
    first = run("--demo")["demo"]
    revoke_key(key=ApiKey.objects.get(prefix=first["read_key"][3:13]))
    second = run("--demo")["demo"]
    assert second["created"] is True
    ApiKey.objects.get(prefix=second["ingest_key"][3:13]).delete()
    third = run("--demo")["demo"]
    (local / "demo.json").write_text("{")
    fourth = run("--demo")["demo"]
    keys = {demo["ingest_key"] for demo in (first, second, third, fourth)}
    assert len(keys) == 4
    assert KeyReader().resolve(fourth["ingest_key"])


def test_it_says_how_to_sign_in() -> None:
    out = StringIO()
    call_command("first_run", "--demo", stdout=out)
    assert "Sign in as admin with " in out.getvalue()
    assert "sg_" in out.getvalue()
