"""Request ids: the client's when it is usable, otherwise ours."""

import re
from collections.abc import Callable

import uuid_utils
from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
_USABLE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def request_id(sent: str | None) -> str:
    """`sent` when it can go into headers, rows and logs as it is; a UUIDv7 otherwise."""
    if sent and _USABLE.fullmatch(sent):
        return sent
    return str(uuid_utils.uuid7())


class RequestIdMiddleware:
    """Gives every Django request an id and every answer the X-Request-ID header."""

    async_capable = False
    sync_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        chosen = request_id(request.headers.get(HEADER))
        request.META["HTTP_X_REQUEST_ID"] = chosen  # read by the log binder and the problem renderer
        response = self.get_response(request)
        response[HEADER] = chosen
        return response
