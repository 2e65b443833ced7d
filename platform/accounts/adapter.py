"""What allauth asks of us: who may sign up (nobody), and where sign-in leads."""

from typing import ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are made by a superuser; the page says so."""

    error_messages: ClassVar = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": _(
            "That user name and password do not match. Check both; a superuser can set a new password."
        ),
        "too_many_login_attempts": _("Too many failed attempts. Wait five minutes, then try again."),
        "account_inactive": _("This account is switched off. Ask a superuser to switch it on."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
