"""What a new installation needs before anyone can use it; safe to repeat."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.db import transaction

from accounts.errors import InvalidRequest
from accounts.key_text import matches, prefix_of
from accounts.models import ApiKey, Project, User
from accounts.roles import Scope
from accounts.services import create_key, create_project

ADMIN: Final = "admin"
DEMO: Final = "demo"


@dataclass(frozen=True, slots=True)
class Administrator:
    """The superuser of the first run; `password` is None when it is not known here."""

    username: str
    password: str | None
    created: bool
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo project and its two keys."""

    project: str
    ingest_key: str
    read_key: str
    created: bool


def ensure_administrator(*, directory: Path) -> Administrator:
    """Make the superuser `admin` if there is no superuser; its password is kept in `directory`/admin."""
    path = directory / "admin"
    if not User.objects.filter(is_superuser=True).exists():
        return _create_administrator(path)
    try:
        username, _, password = path.read_text().strip().partition("\n")
    except FileNotFoundError:
        return Administrator(ADMIN, None, created=False)
    user = User.objects.filter(username=username, is_active=True, is_superuser=True).first()
    if user is None or not user.check_password(password):
        warning = (
            f"The password kept for {username} no longer works: it was changed. "
            f"`manage.py changepassword {username}` sets another."
        )
        return Administrator(username, None, created=False, warning=warning)
    return Administrator(username, password, created=False)


def _create_administrator(path: Path) -> Administrator:
    if User.objects.filter(username=ADMIN).exists():
        raise InvalidRequest(
            f"There is a user {ADMIN!r} who is not a superuser: "
            "`manage.py createsuperuser` makes one by another name."
        )
    password = secrets.token_urlsafe(18)
    with transaction.atomic():
        User.objects.create_superuser(ADMIN, password=password)
        write_private(path, f"{ADMIN}\n{password}\n")
    return Administrator(ADMIN, password, created=True)


def ensure_demo(*, directory: Path) -> Demo:
    """Make the project `demo` and its keys, unless the kept ones still work."""
    path = directory / "demo.json"
    project = Project.objects.filter(slug=DEMO).first() or create_project(slug=DEMO, name="Demo")
    if kept := _kept_demo(path, project):
        return kept
    with transaction.atomic():
        ingest = create_key(project=project, scopes=[Scope.INGEST], name="Demo sender")
        read = create_key(project=project, scopes=[Scope.READ], name="Demo reader")
        demo = Demo(DEMO, ingest.text, read.text, created=True)
        content = {"project": demo.project, "ingest_key": demo.ingest_key, "read_key": demo.read_key}
        write_private(path, json.dumps(content, indent=2) + "\n")
    return demo


def _kept_demo(path: Path, project: Project) -> Demo | None:
    try:
        kept = json.loads(path.read_text())
        demo = Demo(kept["project"], kept["ingest_key"], kept["read_key"], created=False)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    wanted = ((demo.ingest_key, Scope.INGEST), (demo.read_key, Scope.READ))
    return demo if all(_works(text, project, scope) for text, scope in wanted) else None


def _works(text: str, project: Project, scope: Scope) -> bool:
    keys = ApiKey.objects.filter(
        project=project, prefix=prefix_of(str(text)), revoked_at=None, expires_at=None
    ).filter(scopes__contains=[scope])
    return any(matches(text, bytes(key.digest)) for key in keys)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner alone from its first byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    new.replace(path)
