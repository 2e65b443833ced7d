"""One machine, plain HTTP on loopback: what `make up` and `make demo` run."""

from config.settings.base import *  # noqa: F403

# Static files straight from the source: nothing to collect first.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True

# A line for each request would bury what the supervisor says.
LOGGING = {
    **LOGGING,  # noqa: F405
    "loggers": {**LOGGING["loggers"], "django_structlog": {"level": "WARNING"}},  # noqa: F405
}
