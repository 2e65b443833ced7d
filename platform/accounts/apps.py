"""The accounts app."""

from django.apps import AppConfig

from accounts.roles import register_predicates


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        register_predicates()
