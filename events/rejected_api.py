"""/api/v1/rejected: list, look at, validate, replay, discard and restore refused events."""

from typing import Final
from uuid import UUID

from django.http import HttpResponseBase
from rest_framework import exceptions
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import requires
from events.quarantine import selectors, services
from events.quarantine.bulks import get_progress
from events.quarantine.errors import InvalidPatch, NotThere, QuarantineError
from events.quarantine.rows import Action
from events.rejected_documents import (
    detailed_document,
    group_document,
    listed_document,
    ndjson,
    progress_document,
    replayed_document,
    verdict_document,
)
from events.rejected_openapi import (
    describes_bulk,
    describes_download,
    describes_groups,
    describes_list,
    describes_one,
    describes_progress,
    describes_replay,
    describes_validate,
)
from events.rejected_requests import BulkBody, TextBody, read_body, read_limit, read_selection, selection_of

_STATUS: Final = {"replayed": 200, "rejected": 422, "unsettled": 202}


class Conflicted(exceptions.APIException):
    """409: the event is not in a state for this."""

    status_code = 409
    default_code = "conflict"


class RejectedView(APIView):
    """What all these views share: the permission, the project, and how errors are told."""

    parser_classes = [JSONParser]

    def get_permissions(self) -> list[BasePermission]:
        changes = self.request.method == "POST" and not isinstance(self, ValidateView)
        return [requires("rejected.replay" if changes else "rejected.view")()]

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(_told(exc) if isinstance(exc, QuarantineError) else exc)


class RejectedListView(RejectedView):
    """GET: refused events, newest first."""

    @describes_list
    def get(self, request: Request) -> Response:
        limit = read_limit(request.query_params.get("limit"))
        selection = read_selection(request.query_params, extra=("cursor", "limit", "project", "format"))
        try:
            page, cursor = selectors.list_rejected(
                project_id=project_id(request),
                selection=selection,
                cursor=request.query_params.get("cursor"),
                limit=limit,
            )
        except ValueError as error:
            raise exceptions.ValidationError({"cursor": [str(error)]}) from error
        return Response({"items": [listed_document(row) for row in page], "next": cursor})


class GroupsView(RejectedView):
    """GET: how many refused events there are, by type and code."""

    @describes_groups
    def get(self, request: Request) -> Response:
        selection = read_selection(request.query_params, extra=("project", "format"))
        groups = selectors.group_rejected(project_id=project_id(request), selection=selection)
        return Response({"groups": [group_document(each) for each in groups]})


class DownloadView(RejectedView):
    """GET: all that match, with their bytes, as NDJSON."""

    @describes_download
    def get(self, request: Request) -> HttpResponseBase:
        selection = read_selection(request.query_params, extra=("project",))
        rows = selectors.each_rejected(project_id=project_id(request), selection=selection)
        return ndjson(rows)


class RejectedOneView(RejectedView):
    """GET: one refused event with its bytes."""

    @describes_one
    def get(self, request: Request, rejected_id: UUID) -> Response:
        found = selectors.get_rejected(project_id=project_id(request), rejected_id=rejected_id)
        return Response(detailed_document(found))


class ValidateView(RejectedView):
    """POST: what would become of a text. Stores nothing."""

    @describes_validate
    def post(self, request: Request) -> Response:
        body = read_body(request, TextBody)
        if body.text is None:
            raise exceptions.ValidationError({"text": ["Give the text of an event."]})
        verdict = services.validate_text(
            project_id=project_id(request), text=body.text.encode(), rejected_id=body.id
        )
        return Response(verdict_document(verdict))


class ReplayOneView(RejectedView):
    """POST: store one refused event, with a corrected text if one is given. Idempotent."""

    @describes_replay
    def post(self, request: Request, rejected_id: UUID) -> Response:
        body = read_body(request, TextBody)
        text = None if body.text is None else body.text.encode()
        result = services.replay_event(project_id=project_id(request), rejected_id=rejected_id, text=text)
        return Response(replayed_document(result), status=_STATUS[result.result])


class BulkView(RejectedView):
    """POST: replay, discard or restore those named, or all that match."""

    action: Action = "replay"

    @describes_bulk
    def post(self, request: Request) -> Response:
        body = read_body(request, BulkBody)
        if (body.ids is None) == (body.filter is None):
            raise exceptions.ValidationError({"ids": ["Give either ids or filter; {} as filter means all."]})
        if body.patch and self.action != "replay":
            raise exceptions.ValidationError({"patch": ["Only a replay takes a patch."]})
        progress = services.start_bulk(
            project_id=project_id(request),
            action=self.action,
            selection=selection_of(body),
            patch=body.patch,
            created_by=str(request.user),
        )
        return Response(progress_document(progress), status=200 if progress.finished_at else 202)


class ProgressView(RejectedView):
    """GET: how far a bulk is."""

    @describes_progress
    def get(self, request: Request, bulk_id: UUID) -> Response:
        return Response(progress_document(get_progress(project_id=project_id(request), bulk_id=bulk_id)))


def project_id(request: Request) -> int:
    project = request.project  # type: ignore[attr-defined]
    return project if isinstance(project, int) else int(project.pk)


def _told(error: QuarantineError) -> exceptions.APIException:
    if isinstance(error, NotThere):
        return exceptions.NotFound(str(error), code=error.code)
    if isinstance(error, InvalidPatch):
        return exceptions.ValidationError({"patch": [str(error)]}, code=error.code)
    return Conflicted(str(error), code=error.code)
