"""/api/v1/sanitising: rules that hide parts of events before they are stored, and a preview of what they would do."""

from typing import Any

import msgspec
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from events.policies_api import PolicyView, author_of, project_id_of, valid
from events.sanitising import services
from events.sanitising.models import SanitisingRule
from events.sanitising.paths import MAX_POINTER
from events.sanitising.patterns import MAX_EXPRESSION
from events.sanitising.preview import MAX_EVENTS, Preview, preview_events, select_last_events
from events.sanitising.rules import RuleText


class RuleTextSerializer(serializers.Serializer[Any]):
    """A rule as it is sent: a path or a pattern."""

    name = serializers.CharField(max_length=100, default="", allow_blank=True)
    action = serializers.ChoiceField(SanitisingRule.Action.choices)
    path = serializers.CharField(
        max_length=MAX_POINTER, default="", allow_blank=True, help_text="JSON pointer; * is any key or item."
    )
    pattern = serializers.ChoiceField(SanitisingRule.Pattern.choices, default="", allow_blank=True)
    expression = serializers.CharField(
        max_length=MAX_EXPRESSION,
        default="",
        allow_blank=True,
        trim_whitespace=False,
        help_text="RE2 syntax, for pattern custom.",
    )


class RuleInSerializer(RuleTextSerializer):
    position = serializers.IntegerField(default=None, allow_null=True, min_value=0)
    enabled = serializers.BooleanField(default=True)


class RuleSerializer(serializers.ModelSerializer[SanitisingRule]):
    class Meta:
        model = SanitisingRule
        fields = [
            "id",
            "position",
            "name",
            "action",
            "path",
            "pattern",
            "expression",
            "enabled",
            "created_at",
        ]


@extend_schema_field({"type": "object", "additionalProperties": True})
class EventField(serializers.JSONField):
    """An event as it would be sent."""


class PreviewInSerializer(serializers.Serializer[Any]):
    events = serializers.ListField(child=EventField(), default=list, max_length=MAX_EVENTS)
    last = serializers.IntegerField(
        default=5,
        min_value=1,
        max_value=MAX_EVENTS,
        help_text="Without events: how many of those stored last.",
    )
    rules = RuleTextSerializer(many=True, required=False, help_text="Instead of the project's enabled rules.")


class StepSerializer(serializers.Serializer[Any]):
    rule = serializers.CharField()
    changed = serializers.BooleanField()
    after = EventField()


class SanitisingPreviewSerializer(serializers.Serializer[Any]):
    before = EventField()
    after = EventField()
    steps = StepSerializer(many=True)


class RulesView(PolicyView):
    """GET: a project's rules in their order. POST: another one."""

    @extend_schema(operation_id="list_sanitising_rules", responses=RuleSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(
            RuleSerializer(services.list_rules(project_id=project_id_of(request)), many=True).data
        )

    @extend_schema(
        operation_id="add_sanitising_rule", request=RuleInSerializer, responses={201: RuleSerializer}
    )
    def post(self, request: Request) -> Response:
        sent = valid(RuleInSerializer, request)
        rule = services.add_rule(
            project_id=project_id_of(request),
            text=_text_of(sent),
            position=sent["position"],
            enabled=sent["enabled"],
            user=author_of(request)[0],
        )
        return Response(RuleSerializer(rule).data, status=201)


class RuleView(PolicyView):
    """GET, PUT, DELETE: one rule."""

    @extend_schema(operation_id="get_sanitising_rule", responses=RuleSerializer)
    def get(self, request: Request, rule_id: int) -> Response:
        return Response(RuleSerializer(_rule(request, rule_id)).data)

    @extend_schema(operation_id="change_sanitising_rule", request=RuleInSerializer, responses=RuleSerializer)
    def put(self, request: Request, rule_id: int) -> Response:
        sent = valid(RuleInSerializer, request)
        rule = services.change_rule(
            rule=_rule(request, rule_id),
            text=_text_of(sent),
            position=sent["position"],
            enabled=sent["enabled"],
        )
        return Response(RuleSerializer(rule).data)

    @extend_schema(operation_id="delete_sanitising_rule", responses={204: None})
    def delete(self, request: Request, rule_id: int) -> Response:
        services.delete_rule(rule=_rule(request, rule_id))
        return Response(status=204)


class SanitisingPreviewView(PolicyView):
    """POST: events before and after, rule by rule; nothing is saved."""

    looks = True
    reads = "events.read"

    @extend_schema(
        operation_id="preview_sanitising",
        request=PreviewInSerializer,
        responses=SanitisingPreviewSerializer(many=True),
    )
    def post(self, request: Request) -> Response:
        sent = valid(PreviewInSerializer, request)
        project_id = project_id_of(request)
        if "rules" in sent:
            texts = [_text_of(rule) for rule in sent["rules"]]
        else:
            texts = [rule.text for rule in services.list_rules(project_id=project_id).filter(enabled=True)]
        events = [msgspec.json.encode(event) for event in sent["events"]]
        previews = preview_events(
            project_id=project_id,
            texts=texts,
            events=events or select_last_events(project_id=project_id, last=sent["last"]),
        )
        return Response([_shown(preview) for preview in previews])


def _shown(preview: Preview) -> dict[str, Any]:
    decode = msgspec.json.decode
    steps = [
        {"rule": step.rule, "changed": step.changed, "after": decode(step.after)} for step in preview.steps
    ]
    return {"before": decode(preview.before), "after": decode(preview.after), "steps": steps}


def _text_of(sent: dict[str, Any]) -> RuleText:
    return RuleText(sent["action"], sent["path"], sent["pattern"], sent["expression"], sent["name"])


def _rule(request: Request, rule_id: int) -> SanitisingRule:
    rule = services.list_rules(project_id=project_id_of(request)).filter(pk=rule_id).first()
    if rule is None:
        raise Http404(f"There is no rule {rule_id} in this project; GET /api/v1/sanitising lists them.")
    return rule
