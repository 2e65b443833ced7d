"""What the APIs of schemas and sanitising rules share: strict bodies, permissions by method, and their problems."""

import json
from typing import Any, ClassVar, Final

from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.parsers import BaseParser
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from accounts.models import Project, User
from accounts.permissions import requires
from accounts.roles import Permission
from events import strictness
from events.answers import problem
from events.api_errors import identifier_of, to_response
from events.errors import InvalidEvent
from events.sanitising.errors import RuleInvalid
from events.schemas.errors import SchemaInvalid
from events.schemas.services import SchemaRefused

MAX_BODY_BYTES: Final = 1024 * 1024


class StrictJSONParser(BaseParser):
    """JSON as ingest takes it: no duplicate keys, no NaN, 32 levels. Deep bodies are 400 and not a stack overflow."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body: bytes = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise exceptions.ParseError(f"The body is over {MAX_BODY_BYTES} bytes; send less.")
        try:
            strictness.check_exactly(body)
        except InvalidEvent as error:
            raise exceptions.ParseError(error.message.replace("The event nests", "The body nests")) from None
        return json.loads(body)


class PolicyView(APIView):
    """Reading needs `reads`, changing needs `changes`; posts that only look need `reads` too (`looks`)."""

    parser_classes = [StrictJSONParser]
    reads: ClassVar[Permission] = "schemas.view"
    changes: ClassVar[Permission] = "schemas.edit"
    looks: ClassVar[bool] = False

    def get_permissions(self) -> list[BasePermission]:
        reading = self.looks or self.request.method in SAFE_METHODS
        return [requires(self.reads if reading else self.changes)()]

    def handle_exception(self, exc: Exception) -> Response | HttpResponse:  # type: ignore[override]
        identifier = identifier_of(self.request)
        if isinstance(exc, SchemaInvalid):
            errors = [_error("schema_invalid", flaw.pointer, flaw.message) for flaw in exc.flaws]
            return to_response(problem(422, "schema_invalid", str(exc), identifier, errors=errors))
        if isinstance(exc, SchemaRefused):
            errors = [_error(each.level, each.pointer, each.message) for each in exc.findings]
            for example in exc.trial.examples if exc.trial else ():
                errors.append(
                    {"id": example.id, **_error("schema_violation", example.pointer, example.message)}
                )
            return to_response(problem(409, "schema_refused", exc.detail, identifier, errors=errors))
        if isinstance(exc, RuleInvalid):
            errors = [_error("rule_invalid", f"/{exc.field}" if exc.field else "", exc.message)]
            return to_response(problem(422, "rule_invalid", exc.message, identifier, errors=errors))
        return super().handle_exception(exc)


def _error(code: str, pointer: str, message: str) -> dict[str, Any]:
    return {"code": code, "pointer": pointer, "message": message}


def project_id_of(request: Request) -> int:
    """The project that the permission found."""
    project: Project | int = request.project  # type: ignore[attr-defined]
    return project if isinstance(project, int) else project.pk


def author_of(request: Request) -> tuple[User | None, str]:
    """(person, name) of who is asking; a key is no person and has a name."""
    user = request.user
    return (user if isinstance(user, User) else None), user.get_username()


def valid(serializer: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    """The validated body. Raises ValidationError (400), which names the fields."""
    read = serializer(data=request.data)
    read.is_valid(raise_exception=True)
    sent: dict[str, Any] = read.validated_data
    return sent
