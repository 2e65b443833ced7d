"""/api/v1/imports: files in, progress and refused rows out."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import msgspec
from django.http import Http404, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.identity import KeyPrincipal
from accounts.models import Project
from accounts.permissions import refusal, request_project, requires
from accounts.roles import permissions_of
from events.errors import RequestRefused
from events.imports.describing import describe_import, describe_preview
from events.imports.downloading import rejected_csv, rejected_ndjson
from events.imports.files import Received, receive
from events.imports.mapping import Mapping, parse_mapping
from events.imports.models import ImportJob
from events.imports.previewing import preview_import
from events.imports.requests import UploadOptions, missing_file, read_upload_options
from events.imports.selectors import find_import, list_imports
from events.imports.services import cancel_import, create_import, delete_import, start_import

PIECE: Final = 256 * 1024


class SeesImports(BasePermission):
    """imports.view; a key that may only run imports sees those it made itself."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        request.project = project = request_project(request)  # type: ignore[attr-defined]
        self.message = refusal(request.user, "imports.view")
        granted = permissions_of(request.user, project)
        return "imports.view" in granted or (
            "imports.run" in granted and isinstance(request.user, KeyPrincipal)
        )


class ImportSerializer(serializers.Serializer[ImportJob]):
    """Describes `describe_import` to the OpenAPI document."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    format = serializers.ChoiceField(["ndjson", "csv", "parquet"])
    encoding = serializers.ChoiceField(["", "gzip", "zstd"])
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    state = serializers.ChoiceField(ImportJob.State.choices)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    progress = serializers.FloatField(allow_null=True)
    rate = serializers.FloatField(allow_null=True)
    eta_seconds = serializers.FloatField(allow_null=True)
    rows = serializers.IntegerField()
    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = serializers.IntegerField()
    error_code = serializers.CharField()
    error = serializers.CharField()


class StartSerializer(serializers.Serializer[Any]):
    """A mapping as docs/imports.md describes it; left out, the import's own."""

    mapping = serializers.JSONField(required=False, allow_null=True)


class PreviewRowSerializer(serializers.Serializer[Any]):
    """The event a row makes, or why it makes none."""

    line = serializers.IntegerField()
    raw = serializers.CharField()
    event = serializers.CharField(allow_null=True)
    code = serializers.CharField(allow_null=True)
    pointer = serializers.CharField(allow_null=True)
    message = serializers.CharField(allow_null=True)


class ImportPreviewSerializer(serializers.Serializer[Any]):
    """The first rows by a mapping, which is a suggestion when nobody gave one."""

    columns = serializers.ListField(child=serializers.CharField(), allow_null=True)
    mapping = serializers.JSONField(allow_null=True)
    suggested = serializers.BooleanField()
    rows = PreviewRowSerializer(many=True)


_UPLOAD_PARAMETERS: Final = [
    OpenApiParameter("name", str, description="the file's name"),
    OpenApiParameter("format", str, enum=["ndjson", "csv", "parquet"], description="detected when left out"),
    OpenApiParameter("mapping", str, description="JSON: columns to event fields, for CSV and Parquet"),
    OpenApiParameter(
        "preview", OpenApiTypes.BOOL, description="do not start; answer the first rows' verdicts"
    ),
]
_UPLOAD_REQUEST: Final = {
    media: {"type": "string", "format": "binary"}
    for media in (
        "application/x-ndjson",
        "text/csv",
        "application/vnd.apache.parquet",
        "application/octet-stream",
    )
}
_PROJECT: Final = OpenApiParameter(
    "project", str, description="for people in several projects; a key has one"
)


class ImportsView(APIView):
    """GET: the project's imports, newest first. POST: a file as the body, or as `file` of a form."""

    def get_permissions(self) -> list[Any]:
        return [requires("imports.run")() if self.request.method == "POST" else SeesImports()]

    @extend_schema(operation_id="imports_list", parameters=[_PROJECT], responses=ImportSerializer(many=True))
    def get(self, request: Request) -> Response:
        own = _own_key(request)
        jobs = list_imports(project_id=_project_id(request))
        return Response([describe_import(job) for job in jobs if own is None or job.key_id == own])

    @extend_schema(
        operation_id="imports_create",
        parameters=[_PROJECT, *_UPLOAD_PARAMETERS],
        request=_UPLOAD_REQUEST,
        responses={201: ImportSerializer},
    )
    def post(self, request: Request) -> Response:
        options = read_upload_options(request.query_params)
        received, name = _receive(request, options)
        job = create_import(
            received=received,
            project_id=_project_id(request),
            created_by=request.user.get_username(),
            key_id=_key_id(request),
            name=name,
            content_type=request.content_type or "",
            file_format=options.file_format,
            mapping=options.mapping,
            start=not options.preview,
        )
        document: dict[str, Any] = {**describe_import(job)}
        if options.preview:
            document["preview"] = describe_preview(preview_import(job))
        return Response(document, status=201)


class ImportView(APIView):
    """GET: one import's progress. DELETE: forget one that has ended; its events stay."""

    def get_permissions(self) -> list[Any]:
        return [requires("imports.run")() if self.request.method == "DELETE" else SeesImports()]

    @extend_schema(operation_id="imports_get", parameters=[_PROJECT], responses=ImportSerializer)
    def get(self, request: Request, job_id: UUID) -> Response:
        return Response(describe_import(_job(request, job_id)))

    @extend_schema(operation_id="imports_delete", parameters=[_PROJECT], responses={204: None})
    def delete(self, request: Request, job_id: UUID) -> Response:
        delete_import(job=_job(request, job_id))
        return Response(status=204)


class StartView(APIView):
    """POST: start an import that is ready, with a mapping if it needs one."""

    permission_classes = [requires("imports.run")]
    parser_classes = [JSONParser]

    @extend_schema(
        operation_id="imports_start",
        parameters=[_PROJECT],
        request=StartSerializer,
        responses=ImportSerializer,
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        job = start_import(job=_job(request, job_id), mapping=_mapping_in(request))
        return Response(describe_import(job))


class CancelView(APIView):
    """POST: stop an import for good; what it has stored stays."""

    permission_classes = [requires("imports.run")]

    @extend_schema(
        operation_id="imports_cancel", parameters=[_PROJECT], request=None, responses=ImportSerializer
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        return Response(describe_import(cancel_import(job=_job(request, job_id))))


class PreviewView(APIView):
    """The first 20 rows and their verdicts. GET: by the import's mapping or a suggested one; POST: by another."""

    permission_classes = [SeesImports]
    parser_classes = [JSONParser]

    @extend_schema(operation_id="imports_preview", parameters=[_PROJECT], responses=ImportPreviewSerializer)
    def get(self, request: Request, job_id: UUID) -> Response:
        return Response(describe_preview(preview_import(_job(request, job_id))))

    @extend_schema(
        operation_id="imports_preview_mapping",
        parameters=[_PROJECT],
        request=StartSerializer,
        responses=ImportPreviewSerializer,
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        job = _job(request, job_id)
        return Response(describe_preview(preview_import(job, mapping=_mapping_in(request))))


class RejectedRowsView(APIView):
    """GET: the refused rows with their lines, as NDJSON or CSV."""

    permission_classes = [SeesImports]

    @extend_schema(
        operation_id="imports_rejected",
        parameters=[_PROJECT, OpenApiParameter("format", str, enum=["ndjson", "csv"])],
        responses={
            (200, "application/x-ndjson"): OpenApiTypes.BINARY,
            (200, "text/csv"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, job_id: UUID) -> StreamingHttpResponse:
        return download_rejected(_job(request, job_id), request.query_params.get("format", "ndjson"))


def download_rejected(job: ImportJob, wanted: str) -> StreamingHttpResponse:
    """Raises RequestRefused (400) for another format."""
    if wanted not in {"ndjson", "csv"}:
        raise RequestRefused(400, "invalid_parameter", f"format must be ndjson or csv, not {wanted!r}.")
    lines: Iterator[bytes] = rejected_csv(job) if wanted == "csv" else rejected_ndjson(job)
    media = "text/csv; charset=utf-8" if wanted == "csv" else "application/x-ndjson"
    response = StreamingHttpResponse(lines, content_type=media)
    response["Content-Disposition"] = f'attachment; filename="rejected-{job.pk}.{wanted}"'
    return response


def _receive(request: Request, options: UploadOptions) -> tuple[Received, str]:
    """The body on disk, and the file's name."""
    plain = request._request
    if (request.content_type or "").startswith("multipart/"):
        uploaded = plain.FILES.get("file")
        if uploaded is None:
            raise missing_file()
        return receive(uploaded.chunks(PIECE), announced=uploaded.size), options.name or uploaded.name or ""
    length = request.headers.get("content-length", "")
    announced = int(length) if length.isdecimal() else None
    return receive(iter(lambda: plain.read(PIECE), b""), announced=announced), options.name


def _mapping_in(request: Request) -> Mapping | None:
    if not isinstance(request.data, dict):
        raise RequestRefused(400, "invalid_parameter", 'Send an object: {"mapping": {…}}.')
    document = request.data.get("mapping")
    return None if document is None else parse_mapping(msgspec.json.encode(document))


def _job(request: Request, job_id: UUID) -> ImportJob:
    """The import of the request's project; one that a key may not see is not there."""
    job = find_import(project_id=_project_id(request), job_id=job_id)
    own = _own_key(request)
    if job is None or (own is not None and job.key_id != own):
        raise Http404(f"There is no import {job_id} here.")
    return job


def _project_id(request: Request) -> int:
    project: Project | int = request.project  # type: ignore[attr-defined]
    return project if isinstance(project, int) else project.pk


def _key_id(request: Request) -> int | None:
    return request.user.identity.key_id if isinstance(request.user, KeyPrincipal) else None


def _own_key(request: Request) -> int | None:
    """The key whose imports alone may be seen; None for whoever sees all of the project's."""
    if "imports.view" in permissions_of(request.user, request.project):  # type: ignore[attr-defined]
        return None
    return _key_id(request)
