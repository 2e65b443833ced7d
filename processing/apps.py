"""The processing app."""

from django.apps import AppConfig


class ProcessingConfig(AppConfig):
    name = "processing"

    def ready(self) -> None:
        from processing import receivers  # noqa: F401 - signals are connected once apps are loaded
