"""One machine, plain HTTP on loopback, or behind `TLS=1`: what `make up` and `make demo` run."""

from config import env
from config.settings.base import *  # noqa: F403

# Static files straight from the source: nothing to collect first.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True

if env.boolean("STREAMGAUGE_BEHIND_TLS", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

# A line for each request would bury what the supervisor says.
LOGGING = {
    **LOGGING,  # noqa: F405
    "loggers": {**LOGGING["loggers"], "django_structlog": {"level": "WARNING"}},  # noqa: F405
}
