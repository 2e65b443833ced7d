"""The same paths through DRF: the schema, the browsable API, and a door that works under WSGI too."""

import time
from concurrent.futures import Future
from typing import NoReturn, cast

from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.identity import KeyIdentity
from accounts.roles import key_permissions
from events.admission import admit_in_thread, refusal_answer, with_limits
from events.answers import Answer, verdict_answer
from events.api_errors import identifier_of, to_response
from events.errors import IngestError, OutcomeUnknown
from events.ingest_keys import IngestKeyAuthentication
from events.limits import MAX_BODY_BYTES
from events.openapi import describes_ingest
from events.requests import body_too_large, check_length, read_options, scope_missing
from events.services import fetch_policy, ingest_events
from events.submissions import Verdicts

VERDICT_SECONDS = 25.0


class EventsView(APIView):
    """POST: events in, verdicts out, after COMMIT. The gateway answers this path first where it is mounted."""

    authentication_classes = [IngestKeyAuthentication]
    permission_classes = [IsAuthenticated]

    def permission_denied(
        self, request: Request, message: str | None = None, code: str | None = None
    ) -> NoReturn:
        """Nothing but a key opens this door, so that none at all is answered like a bad one."""
        raise exceptions.NotAuthenticated("Send the key as `Authorization: Bearer sg_…`.", code="invalid_key")

    @describes_ingest
    def post(self, request: Request) -> HttpResponse:
        identity = cast("KeyIdentity", request.auth)  # nothing else authenticates here
        try:
            answer = self._ingest(request, identity)
        except IngestError as error:
            answer = refusal_answer(error, identifier_of(request), identity)
        return to_response(answer)

    def _ingest(self, request: Request, identity: KeyIdentity) -> Answer:
        if "events.write" not in key_permissions(identity.scopes):
            raise scope_missing()
        if identity.limits is not None:
            address = request.META.get("REMOTE_ADDR")
            forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
            admit_in_thread(identity, peer=address, forwarded_for=forwarded)
        arrived = time.monotonic()
        headers = {name.lower(): value for name, value in request.headers.items()}
        options = read_options(headers, request.META.get("QUERY_STRING", ""))
        identifier = identifier_of(request)
        answered: Future[Verdicts] = Future()
        ingest_events(
            identity=identity,
            body=_read_body(request, headers),
            options=options,
            policy=fetch_policy(identity),
            request_id=identifier,
            arrived=arrived,
            deliver=lambda answer: _settle(answered, answer),
        )
        try:
            verdicts = answered.result(VERDICT_SECONDS)
        except TimeoutError:
            raise OutcomeUnknown(
                "The database did not answer in time; send it again with the same ids."
            ) from None
        return with_limits(verdict_answer(verdicts, identifier, dry_run=options.dry_run), identity)


def _settle(future: "Future[Verdicts]", answer: Verdicts | IngestError) -> None:
    if isinstance(answer, Verdicts):
        future.set_result(answer)
    else:
        future.set_exception(answer)


def _read_body(request: Request, headers: dict[str, str]) -> bytes:
    check_length(headers.get("content-length"))
    body: bytes = request._request.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise body_too_large()
    return body
