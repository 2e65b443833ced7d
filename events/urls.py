"""/api/v1/ paths of ingest."""

from django.urls import path

from events.limits_api import LimitsView
from events.sanitising_api import RulesView, RuleView, SanitisingPreviewView
from events.schemas_api import (
    SchemaCheckView,
    SchemaInferView,
    SchemaModeView,
    SchemasView,
    SchemaVersionView,
    SchemaView,
)
from events.views import EventsView

app_name = "events"
urlpatterns = [
    path("events", EventsView.as_view(), name="events"),
    path("limits", LimitsView.as_view(), name="limits"),
    path("schemas", SchemasView.as_view(), name="schemas"),
    path("schemas/check", SchemaCheckView.as_view(), name="schema-check"),
    path("schemas/infer", SchemaInferView.as_view(), name="schema-infer"),
    path("schemas/<int:schema_id>", SchemaView.as_view(), name="schema"),
    path("schemas/<int:schema_id>/version", SchemaVersionView.as_view(), name="schema-version"),
    path("schemas/<int:schema_id>/mode", SchemaModeView.as_view(), name="schema-mode"),
    path("sanitising", RulesView.as_view(), name="sanitising"),
    path("sanitising/preview", SanitisingPreviewView.as_view(), name="sanitising-preview"),
    path("sanitising/<int:rule_id>", RuleView.as_view(), name="sanitising-rule"),
]
