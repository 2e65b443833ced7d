"""The ASGI application: the gateway alone in an ingest process; Django and WebSockets too in a web one."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

from django.conf import settings
from django.core.asgi import get_asgi_application

_django = get_asgi_application()  # loads the apps, which the imports below need

from events.gateway import ASGIApp, Gateway  # noqa: E402


def _web() -> ASGIApp:
    """What people's browsers need; an ingest process never imports it, to stay small."""
    from channels.routing import ProtocolTypeRouter, URLRouter

    from events.websocket.daphne_protocol import bound_daphne_sockets
    from monitoring.routing import websocket_urlpatterns

    bound_daphne_sockets()
    # Sockets check Origin, session and key themselves: programs send no Origin, and must not wait for sessions.
    sockets = URLRouter(websocket_urlpatterns)
    router: ASGIApp = ProtocolTypeRouter({"http": _django, "websocket": sockets})
    return router


application = Gateway(None if settings.MODE == "ingest" else _web())
