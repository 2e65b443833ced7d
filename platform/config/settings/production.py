"""Behind TLS, everything from the environment."""

from config import env
from config.settings.base import *  # noqa: F403

SECRET_KEY = env.text("STREAMGAUGE_SECRET_KEY")
ALLOWED_HOSTS = env.words("STREAMGAUGE_ALLOWED_HOSTS")

SECURE_SSL_REDIRECT = env.boolean("STREAMGAUGE_SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^health/"]  # load balancers ask over plain HTTP
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = env.integer("STREAMGAUGE_HSTS_SECONDS", 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
