"""DRF's errors as problem details, so that every door speaks alike."""

import math
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from events.answers import Answer, error_answer, problem
from events.errors import IngestError
from telemetry.request_ids import request_id


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | Response | None:
    """For REST_FRAMEWORK["EXCEPTION_HANDLER"]: None for what is a defect, which Django reports."""
    identifier = identifier_of(context["request"])
    if isinstance(error, IngestError):
        answer = error_answer(error, identifier)
    elif isinstance(error, Http404):
        answer = problem(404, "not_found", str(error) or "Not found.", identifier)
    elif isinstance(error, PermissionDenied):
        answer = problem(403, "permission_denied", str(error) or "You may not do this.", identifier)
    elif isinstance(error, exceptions.APIException):
        answer = _api_problem(error, identifier)
    else:
        return None
    set_rollback()
    return to_response(answer, authenticate=getattr(error, "auth_header", None))


def identifier_of(request: Request) -> str:
    return request_id(request.META.get("HTTP_X_REQUEST_ID"))


def _api_problem(error: exceptions.APIException, identifier: str) -> Answer:
    wait = getattr(error, "wait", None)
    retry_after = math.ceil(wait) if wait is not None else None
    errors: list[dict[str, Any]] = []
    if isinstance(error, exceptions.ValidationError):
        errors = list(_field_errors(error.detail, ""))
        detail = "Some fields are not right; see errors."
    else:
        detail = str(error.detail)
    code = error.get_codes()
    return problem(
        error.status_code,
        code if isinstance(code, str) else "invalid",
        detail,
        identifier,
        retry_after=retry_after,
        errors=errors,
    )


def _field_errors(detail: Any, pointer: str) -> Any:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _field_errors(inner, f"{pointer}/{name}")
    elif isinstance(detail, list):
        for inner in detail:
            yield from _field_errors(inner, pointer)
    else:
        yield {"pointer": pointer, "code": detail.code, "message": str(detail)}


def to_response(answer: Answer, *, authenticate: str | None = None) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)
    for name, value in answer.headers:
        response[name] = value
    if answer.retry_after is not None:
        response["Retry-After"] = str(answer.retry_after)
    if answer.replayed:
        response["Idempotent-Replayed"] = "true"
    if authenticate:
        response["WWW-Authenticate"] = authenticate
    return response
