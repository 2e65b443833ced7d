"""/api/v1/import-pulls: files that are fetched on a schedule."""

from typing import Any, Final

import msgspec
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Project
from accounts.permissions import refusal, request_project
from accounts.roles import permissions_of
from events.imports.mapping import parse_mapping
from events.imports.models import ImportPull
from events.imports.pulling import (
    create_pull,
    delete_pull,
    find_pull,
    list_pulls,
    run_pull_now,
    set_pull_enabled,
)

_PROJECT: Final = OpenApiParameter(
    "project", str, description="for people in several projects; a key has one"
)


class HandlesPulls(BasePermission):
    """imports.view to see, imports.run as well to change: a key that only sends events makes nobody fetch."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        request.project = project = request_project(request)  # type: ignore[attr-defined]
        granted = permissions_of(request.user, project)
        self.message = refusal(request.user, "imports.view")
        if "imports.view" not in granted or request.method == "GET":
            return "imports.view" in granted
        self.message = refusal(request.user, "imports.run")
        return "imports.run" in granted


class PullSerializer(serializers.ModelSerializer[ImportPull]):
    """`cron` has five fields, in UTC; `result` is imported, unchanged or failed."""

    format = serializers.CharField(required=False, allow_blank=True, default="")
    mapping = serializers.JSONField(required=False, allow_null=True, default=None)

    class Meta:
        model = ImportPull
        fields = [
            "id", "name", "url", "cron", "format", "mapping", "enabled", "created_by", "created_at", "next_at",
            "checked_at", "result", "error", "last_job_id",
        ]  # fmt: skip
        read_only_fields = [
            "enabled", "created_by", "created_at", "next_at", "checked_at", "result", "error", "last_job_id",
        ]  # fmt: skip


class EnabledSerializer(serializers.Serializer[Any]):
    """Pause with false, resume with true."""

    enabled = serializers.BooleanField()


class PullsView(APIView):
    """GET: the project's pulls. POST: another one."""

    permission_classes = [HandlesPulls]
    parser_classes = [JSONParser]

    @extend_schema(
        operation_id="import_pulls_list", parameters=[_PROJECT], responses=PullSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        return Response(PullSerializer(list_pulls(project_id=_project_id(request)), many=True).data)

    @extend_schema(
        operation_id="import_pulls_create",
        parameters=[_PROJECT],
        request=PullSerializer,
        responses={201: PullSerializer},
    )
    def post(self, request: Request) -> Response:
        asked = PullSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = asked.validated_data
        mapping = fields["mapping"]
        pull = create_pull(
            project_id=_project_id(request),
            name=fields["name"],
            url=fields["url"],
            cron=fields["cron"],
            file_format=fields["format"],
            mapping=None if mapping is None else parse_mapping(msgspec.json.encode(mapping)),
            created_by=request.user.get_username(),
        )
        return Response(PullSerializer(pull).data, status=201)


class PullView(APIView):
    """GET one; PATCH `enabled`; DELETE it: its imports stay."""

    permission_classes = [HandlesPulls]
    parser_classes = [JSONParser]

    @extend_schema(operation_id="import_pulls_get", parameters=[_PROJECT], responses=PullSerializer)
    def get(self, request: Request, pull_id: int) -> Response:
        return Response(PullSerializer(_pull(request, pull_id)).data)

    @extend_schema(
        operation_id="import_pulls_enable",
        parameters=[_PROJECT],
        request=EnabledSerializer,
        responses=PullSerializer,
    )
    def patch(self, request: Request, pull_id: int) -> Response:
        asked = EnabledSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        pull = set_pull_enabled(pull=_pull(request, pull_id), enabled=asked.validated_data["enabled"])
        return Response(PullSerializer(pull).data)

    @extend_schema(operation_id="import_pulls_delete", parameters=[_PROJECT], responses={204: None})
    def delete(self, request: Request, pull_id: int) -> Response:
        delete_pull(pull=_pull(request, pull_id))
        return Response(status=204)


class RunPullView(APIView):
    """POST: fetch it now."""

    permission_classes = [HandlesPulls]

    @extend_schema(
        operation_id="import_pulls_run", parameters=[_PROJECT], request=None, responses=PullSerializer
    )
    def post(self, request: Request, pull_id: int) -> Response:
        return Response(PullSerializer(run_pull_now(pull=_pull(request, pull_id))).data)


def _pull(request: Request, pull_id: int) -> ImportPull:
    if (pull := find_pull(project_id=_project_id(request), pull_id=pull_id)) is None:
        raise Http404(f"There is no pull {pull_id} here.")
    return pull


def _project_id(request: Request) -> int:
    project: Project | int = request.project  # type: ignore[attr-defined]
    return project if isinstance(project, int) else project.pk
