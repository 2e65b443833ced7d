"""Who is changing things now, and which models' changes are recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from auditlog.registry import auditlog
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from accounts.models import AuditEntry

UNKNOWN_ACTOR: Final = "system"


@dataclass(frozen=True, slots=True)
class _Acting:
    """A request (its user is looked at when something is written, after any sign-in), or a plain name."""

    request: HttpRequest | None = None
    name: str = ""


_acting: ContextVar[_Acting | None] = ContextVar("accounts_acting", default=None)


@contextmanager
def acting(*, request: HttpRequest | None = None, name: str = "") -> Iterator[None]:
    """Name the actor of every change made inside: a request's user, or for a command or a task, its name."""
    token = _acting.set(_Acting(request, name))
    try:
        yield
    finally:
        _acting.reset(token)


class AuditMiddleware:
    """Names the request's user as the actor. Headers that a sender can forge are not recorded."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with acting(request=request):
            return self.get_response(request)


def stamp(entry: "AuditEntry") -> None:
    """Fill in who, from where, and for which project, from what is going on now."""
    entry.project_id = (entry.additional_data or {}).get("project_id")
    current = _acting.get()
    if current is None or current.request is None:
        entry.actor_name = (current.name if current else "") or UNKNOWN_ACTOR
        return
    entry.remote_addr = current.request.META.get("REMOTE_ADDR") or None
    entry.cid = current.request.META.get("HTTP_X_REQUEST_ID") or None  # made safe by RequestIdMiddleware
    user: Any = getattr(current.request, "user", None)
    if user is not None and user.is_authenticated:
        entry.actor = user if isinstance(user, AbstractBaseUser) else None
        entry.actor_name = user.get_username()[:200]
    else:
        entry.actor_name = "anonymous"


def redact(value: str) -> str:
    """What the audit log shows of a value that must not be read from it: only that it changed."""
    return "(hidden)"


def register_audited_models(*, user: type[Model], others: list[type[Model]], key: type[Model]) -> None:
    """Record every create, change and delete of these. They must not be written with update() or bulk_*."""
    auditlog.register(
        user, exclude_fields=["last_login"], mask_fields=["password"], mask_callable="accounts.audit.redact"
    )
    for model in others:
        auditlog.register(model)
    auditlog.register(key, exclude_fields=["digest", "last_used_at"])


def register_second_factors(model: type[Model]) -> None:
    """Record that a second factor was set up or removed, not its secret and not each use."""
    auditlog.register(model, exclude_fields=["data", "last_used_at"])
