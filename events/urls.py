"""/api/v1/ paths of ingest."""

from django.urls import path

from events.import_pulls_api import PullsView, PullView, RunPullView
from events.imports_api import CancelView, ImportsView, ImportView, PreviewView, RejectedRowsView, StartView
from events.limits_api import LimitsView
from events.rejected_api import (
    BulkView,
    DownloadView,
    GroupsView,
    ProgressView,
    RejectedListView,
    RejectedOneView,
    ReplayOneView,
    ValidateView,
)
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
    path("imports", ImportsView.as_view(), name="imports"),
    path("imports/<uuid:job_id>", ImportView.as_view(), name="import"),
    path("imports/<uuid:job_id>/start", StartView.as_view(), name="import-start"),
    path("imports/<uuid:job_id>/cancel", CancelView.as_view(), name="import-cancel"),
    path("imports/<uuid:job_id>/preview", PreviewView.as_view(), name="import-preview"),
    path("imports/<uuid:job_id>/rejected", RejectedRowsView.as_view(), name="import-rejected"),
    path("import-pulls", PullsView.as_view(), name="import-pulls"),
    path("import-pulls/<int:pull_id>", PullView.as_view(), name="import-pull"),
    path("import-pulls/<int:pull_id>/run", RunPullView.as_view(), name="import-pull-run"),
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
    path("rejected", RejectedListView.as_view(), name="rejected"),
    path("rejected/groups", GroupsView.as_view(), name="rejected-groups"),
    path("rejected/download", DownloadView.as_view(), name="rejected-download"),
    path("rejected/validate", ValidateView.as_view(), name="rejected-validate"),
    path("rejected/replay", BulkView.as_view(action="replay"), name="rejected-replay"),
    path("rejected/discard", BulkView.as_view(action="discard"), name="rejected-discard"),
    path("rejected/restore", BulkView.as_view(action="restore"), name="rejected-restore"),
    path("rejected/bulks/<uuid:bulk_id>", ProgressView.as_view(), name="rejected-bulk"),
    path("rejected/<uuid:rejected_id>", RejectedOneView.as_view(), name="rejected-one"),
    path("rejected/<uuid:rejected_id>/replay", ReplayOneView.as_view(), name="rejected-one-replay"),
]
