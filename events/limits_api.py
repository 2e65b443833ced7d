"""GET /api/v1/limits: the limits of ingest, and of the key that asks."""

import concurrent.futures
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.allowances import Allowance, KeyLimits
from accounts.authentication import ApiKeyAuthentication
from accounts.identity import KeyIdentity
from events.admission import PATIENCE_SECONDS
from events.limiter import Standing, limiter
from events.limits import MAX_EVENTS, PUBLISHED


class LimitsView(APIView):
    """For clients that cut their batches by them. With a key: also what limits it, and what remains."""

    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [AllowAny]
    parser_classes: list[type[BaseParser]] = []

    @extend_schema(operation_id="limits", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        identity = request.auth
        own = _limits_of(identity) if isinstance(identity, KeyIdentity) else {}
        return Response({**PUBLISHED, **own})


def _limits_of(identity: KeyIdentity) -> dict[str, Any]:
    limits = identity.limits or KeyLimits()
    concurrent.futures.wait(limiter.pending(identity), timeout=PATIENCE_SECONDS)
    standings = {standing.name: standing for standing in limiter.standings(identity)}
    at_once = [of.capacity for of in (limits.key, limits.project) if of.rate is not None]
    return {
        "events_per_request": min([MAX_EVENTS, *at_once]),
        "key": {
            **_allowance("key", limits.key, standings),
            "expires_at": identity.expires_at.isoformat() if identity.expires_at else None,
            "allowed_types": list(limits.types),
            "allowed_addresses": [str(network) for network in limits.addresses],
        },
        "project": _allowance("project", limits.project, standings),
    }


def _allowance(name: str, of: Allowance, standings: dict[str, Standing]) -> dict[str, int | None]:
    now, today = standings.get(name), standings.get(f"{name}-day")
    return {
        "events_per_second": of.rate,
        "events_at_once": of.capacity if of.rate is not None else None,
        "remaining_now": now.remaining if now else None,
        "events_per_day": of.daily,
        "remaining_today": today.remaining if today else None,
    }
