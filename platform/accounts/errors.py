"""What can go wrong with keys and permissions, by what the caller should do about it."""

from typing import ClassVar


class AccountsError(Exception):
    """Base of every error this app raises; `status` is the HTTP answer, `code` never changes."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "accounts_error"


class InvalidKey(AccountsError):
    """The key is malformed, unknown, revoked or expired: send another one."""

    status = 401
    code = "invalid_key"


class NotAllowed(AccountsError):
    """The caller is known and may not do this: ask for a role or a scope."""

    status = 403
    code = "not_allowed"


class KeysUnavailable(AccountsError):
    """Keys cannot be checked because the database does not answer: try again shortly."""

    status = 503
    code = "keys_unavailable"


class InvalidRequest(AccountsError):
    """A service was asked for something that cannot be done; the message says what to change."""

    code = "invalid_request"
