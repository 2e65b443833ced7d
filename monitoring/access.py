"""Who a live socket belongs to, and what it may see: asked at the start and again every few seconds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie

from accounts.errors import InvalidKey
from accounts.identity import KeyPrincipal
from accounts.key_reader import KeyReader
from accounts.models import Project, User
from accounts.origins import Headers, header
from accounts.roles import Permission, has_permission
from monitoring.errors import Forbidden
from monitoring.payloads import Topic

PERMISSIONS: Final[Mapping[Topic, Permission]] = {"overview": "dashboard.view", "imports": "imports.view"}
Person = User | KeyPrincipal
_keys = KeyReader()


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """A browser's session cookie."""

    session_key: str = field(repr=False)

    def person(self) -> Person | None:
        """Whose session this is; None when it ended or never was."""
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(self.session_key)
        user = get_user(request)
        return user if isinstance(user, User) and user.is_active else None


@dataclass(frozen=True, slots=True)
class KeyCredentials:
    """An API key, as it came in the first frame."""

    text: str = field(repr=False)

    def person(self) -> Person | None:
        """The key's principal; None when it is unknown, revoked or expired. Raises KeysUnavailable."""
        try:
            return KeyPrincipal(_keys.resolve(self.text))
        except InvalidKey:
            return None


Credentials = SessionCredentials | KeyCredentials


def came_from_page(headers: Headers) -> bool:
    """Whether a browser opened the socket: it always says from where. Only then does a cookie count."""
    return bool(header(headers, b"origin"))


def session_credentials(headers: Headers) -> SessionCredentials | None:
    session_key = parse_cookie(header(headers, b"cookie")).get(settings.SESSION_COOKIE_NAME)
    return SessionCredentials(session_key) if session_key else None


def viewable_project(person: Person, slug: str, topic: Topic) -> Project:
    """The project, if the person may see the topic there. Raises Forbidden, alike for one that does not exist."""
    project = Project.objects.filter(slug=slug).first()
    if project is None or not has_permission(person, project, PERMISSIONS[topic]):
        raise Forbidden(
            "You may not see this project, or it does not exist. "
            "Ask one of its admins for a role, or for a key with the scope read.",
            field="params.project",
        )
    return project


@dataclass(frozen=True, slots=True)
class Recheck:
    """What a later look at credentials found."""

    known: bool
    lost: frozenset[int] = frozenset()


def recheck(credentials: Credentials, subscribed: Iterable[tuple[Topic, int]]) -> Recheck:
    """Whether the credentials still hold, and which of the projects they no longer open."""
    person = credentials.person()
    if person is None:
        return Recheck(known=False)
    lost = (each for topic, each in subscribed if not has_permission(person, each, PERMISSIONS[topic]))
    return Recheck(known=True, lost=frozenset(lost))
