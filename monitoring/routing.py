"""Addresses of the sockets for browsers and readers. The consumer checks Origin, session and key by itself."""

from django.urls import path

from monitoring.consumers import LiveConsumer

websocket_urlpatterns = [path("ws/v1/live", LiveConsumer.as_asgi())]
