"""/api/v1/schemas: what `data` must look like, by type, in versions."""

import json
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from events.policies_api import PolicyView, author_of, project_id_of, valid
from events.schemas import services
from events.schemas.errors import SchemaInvalid
from events.schemas.models import EventSchema, SchemaVersion
from events.schemas.selectors import MAX_SAMPLE, SAMPLE, Caught, list_schemas, list_versions, select_caught


@extend_schema_field({"type": "object", "additionalProperties": True})
class SchemaField(serializers.JSONField):
    """A JSON Schema as an object."""


class LastSerializer(serializers.Serializer[Any]):
    last = serializers.IntegerField(
        default=SAMPLE,
        min_value=1,
        max_value=MAX_SAMPLE,
        help_text="How many of the last stored events to look at.",
    )


class InferSerializer(LastSerializer):
    type = serializers.CharField(max_length=200)


class CheckSerializer(InferSerializer):
    schema = SchemaField()


class VersionInSerializer(serializers.Serializer[Any]):
    type = serializers.CharField(max_length=200)
    schema = SchemaField()
    note = serializers.CharField(max_length=500, default="", allow_blank=True)
    force = serializers.BooleanField(
        default=False, help_text="Save it although stored events would be refused."
    )


class ModeSerializer(LastSerializer):
    mode = serializers.ChoiceField(EventSchema.Mode.choices)
    force = serializers.BooleanField(default=False, help_text="Enforce it without a dry run.")


class CurrentSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1)
    force = serializers.BooleanField(default=False)


class FindingSerializer(serializers.Serializer[Any]):
    level = serializers.CharField()
    pointer = serializers.CharField()
    message = serializers.CharField()


class FailureSerializer(serializers.Serializer[Any]):
    uid = serializers.UUIDField()
    id = serializers.CharField()
    time = serializers.DateTimeField()
    pointer = serializers.CharField()
    message = serializers.CharField()


class TrialSerializer(serializers.Serializer[Any]):
    checked = serializers.IntegerField()
    failing = serializers.IntegerField()
    since = serializers.DateTimeField(allow_null=True)
    examples = FailureSerializer(many=True)


class CheckedSerializer(serializers.Serializer[Any]):
    findings = FindingSerializer(many=True)
    trial = TrialSerializer(allow_null=True)


class InferredSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    events = serializers.IntegerField()
    schema = SchemaField()


class VersionSerializer(serializers.ModelSerializer[SchemaVersion]):
    version = serializers.IntegerField(source="number")
    schema = serializers.SerializerMethodField()

    class Meta:
        model = SchemaVersion
        fields = ["version", "note", "author", "created_at", "schema"]

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_schema(self, version: SchemaVersion) -> Any:
        return json.loads(version.text)


class SummarySerializer(serializers.ModelSerializer[EventSchema]):
    warnings = serializers.SerializerMethodField(
        help_text="Events stored with a warning in the last 24 hours."
    )
    refused = serializers.SerializerMethodField(help_text="Events refused in the last 24 hours.")
    last_warning = serializers.SerializerMethodField()

    class Meta:
        model = EventSchema
        fields = [
            "id",
            "type",
            "mode",
            "version",
            "created_at",
            "changed_at",
            "warnings",
            "refused",
            "last_warning",
        ]

    def _caught(self, schema: EventSchema) -> Caught | None:
        caught: dict[str, Caught] = self.context["caught"]
        return caught.get(schema.type)

    def get_warnings(self, schema: EventSchema) -> int:
        caught = self._caught(schema)
        return caught.warnings if caught else 0

    def get_refused(self, schema: EventSchema) -> int:
        caught = self._caught(schema)
        return caught.refused if caught else 0

    def get_last_warning(self, schema: EventSchema) -> str:
        caught = self._caught(schema)
        return f"{caught.pointer}: {caught.message}" if caught and caught.warnings else ""


class DetailSerializer(SummarySerializer):
    schema = serializers.SerializerMethodField()
    versions = VersionSerializer(many=True)

    class Meta(SummarySerializer.Meta):
        fields = [*SummarySerializer.Meta.fields, "schema", "versions"]

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_schema(self, schema: EventSchema) -> Any:
        return json.loads(schema.current.text)


class SavedSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    type = serializers.CharField()
    mode = serializers.CharField()
    version = serializers.IntegerField()
    findings = FindingSerializer(many=True)


class SchemasView(PolicyView):
    """GET: a project's schemas. POST: a new version of a type's schema, the first of which makes it."""

    @extend_schema(operation_id="list_schemas", responses=SummarySerializer(many=True))
    def get(self, request: Request) -> Response:
        project_id = project_id_of(request)
        context = {"caught": select_caught(project_id=project_id)}
        return Response(
            SummarySerializer(list_schemas(project_id=project_id), many=True, context=context).data
        )

    @extend_schema(operation_id="save_schema", request=VersionInSerializer, responses={201: SavedSerializer})
    def post(self, request: Request) -> Response:
        sent = valid(VersionInSerializer, request)
        user, author = author_of(request)
        saved = services.save_version(
            project_id=project_id_of(request),
            event_type=sent["type"],
            text=_text_of(sent["schema"]),
            note=sent["note"],
            user=user,
            author=author,
            force=sent["force"],
        )
        schema = saved.version.schema
        shown = {
            "id": schema.pk,
            "type": schema.type,
            "mode": schema.mode,
            "version": saved.version.number,
            "findings": saved.findings,
        }
        return Response(SavedSerializer(shown).data, status=201)


class SchemaView(PolicyView):
    """GET: one schema with all its versions."""

    @extend_schema(operation_id="get_schema", responses=DetailSerializer)
    def get(self, request: Request, schema_id: int) -> Response:
        schema = _schema(request, schema_id)
        return Response(_detail(schema))


class SchemaVersionView(PolicyView):
    """PUT: make an earlier version the current one."""

    @extend_schema(operation_id="use_schema_version", request=CurrentSerializer, responses=DetailSerializer)
    def put(self, request: Request, schema_id: int) -> Response:
        sent = valid(CurrentSerializer, request)
        schema = _schema(request, schema_id)
        if not list_versions(schema=schema).filter(number=sent["version"]).exists():
            raise Http404(f"{schema.type} has no version {sent['version']}.")
        used = services.use_version(schema=schema, number=sent["version"], force=sent["force"])
        return Response(_detail(used))


class SchemaModeView(PolicyView):
    """PUT: off, warn or enforce; enforce after a dry run over the last stored events, unless forced."""

    @extend_schema(operation_id="set_schema_mode", request=ModeSerializer, responses=DetailSerializer)
    def put(self, request: Request, schema_id: int) -> Response:
        sent = valid(ModeSerializer, request)
        schema, _trial = services.set_mode(
            schema=_schema(request, schema_id), mode=sent["mode"], last=sent["last"], force=sent["force"]
        )
        return Response(_detail(schema))


class SchemaCheckView(PolicyView):
    """POST: compile a schema, compare it with the current version, try it on stored events; nothing is saved."""

    looks = True

    @extend_schema(operation_id="check_schema", request=CheckSerializer, responses=CheckedSerializer)
    def post(self, request: Request) -> Response:
        sent = valid(CheckSerializer, request)
        checked = services.check_schema(
            project_id=project_id_of(request),
            event_type=sent["type"],
            text=_text_of(sent["schema"]),
            last=sent["last"],
        )
        return Response(CheckedSerializer(checked).data)


class SchemaInferView(PolicyView):
    """POST: a first schema from the last stored events of a type; nothing is saved."""

    looks = True
    reads = "events.read"

    @extend_schema(operation_id="infer_schema", request=InferSerializer, responses=InferredSerializer)
    def post(self, request: Request) -> Response:
        sent = valid(InferSerializer, request)
        text, events = services.infer_text(
            project_id=project_id_of(request), event_type=sent["type"], last=sent["last"]
        )
        return Response({"type": sent["type"], "events": events, "schema": json.loads(text)})


def _text_of(schema: Any) -> str:
    if not isinstance(schema, dict):
        raise SchemaInvalid.at("", "A schema here is a JSON object; send one as `schema`.")
    return json.dumps(schema, indent=2, ensure_ascii=False)


def _schema(request: Request, schema_id: int) -> EventSchema:
    schema = list_schemas(project_id=project_id_of(request)).filter(pk=schema_id).first()
    if schema is None:
        raise Http404(f"There is no schema {schema_id} in this project; GET /api/v1/schemas lists them.")
    return schema


def _detail(schema: EventSchema) -> Any:
    return DetailSerializer(schema, context={"caught": select_caught(project_id=schema.project_id)}).data
