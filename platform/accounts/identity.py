"""Who a request with an API key is: plain data, free of Django, shared by every door."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from accounts.allowances import KeyLimits


@dataclass(frozen=True, slots=True)
class KeyIdentity:
    """A key that was valid less than a second ago, with what the doors need to know of its project."""

    key_id: int
    prefix: str
    project_id: int
    project_slug: str
    scopes: frozenset[str]
    expires_at: datetime | None
    raw_retention_days: int
    live_limit_days: int | None
    policy_version: int = 0
    limits: KeyLimits | None = None  # None: nothing limits it


@dataclass(frozen=True, slots=True)
class KeyPrincipal:
    """`request.user` of a request made with a key: no person, but asked the same questions as one."""

    identity: KeyIdentity
    pk: ClassVar[None] = None
    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_staff: ClassVar[bool] = False
    is_superuser: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"key {self.identity.prefix}"

    def get_username(self) -> str:
        return str(self)
