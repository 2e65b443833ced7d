"""Health over HTTP: two cheap probes for machines, one answer by component for people and programs."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.identity import KeyPrincipal
from accounts.roles import scopes_allow
from monitoring import threads
from monitoring.errors import Unavailable
from monitoring.health import health, readiness

READY_SECONDS = 1.0


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """This process answers requests."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
async def ready(request: HttpRequest) -> JsonResponse:
    """This process can serve: 200, or 503 and what is missing."""
    try:
        missing = await threads.within(READY_SECONDS, readiness)
    except Unavailable:
        missing = f"The database did not answer within {READY_SECONDS:g} s."
    if missing:
        return JsonResponse({"status": "down", "detail": missing}, status=503, headers={"Retry-After": "1"})
    return JsonResponse({"status": "ok"})


class ReadsHealth(BasePermission):
    """A person who is signed in, or a key with the scope read."""

    message = "Sign in, or send a key with the scope read."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.user, KeyPrincipal):
            return scopes_allow(request.user.identity.scopes, "dashboard.view")
        return bool(request.user and request.user.is_authenticated)


@extend_schema(exclude=True)
class HealthView(APIView):
    """Component by component; 503 when one is down."""

    permission_classes = [ReadsHealth]

    def get(self, request: Request) -> Response:
        found: Any = health()
        return Response(
            found, status=503 if found["status"] == "down" else 200, headers={"Cache-Control": "no-store"}
        )
