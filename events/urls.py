"""/api/v1/ paths of ingest."""

from django.urls import path

from events.import_pulls_api import PullsView, PullView, RunPullView
from events.imports_api import CancelView, ImportsView, ImportView, PreviewView, RejectedRowsView, StartView
from events.views import EventsView, LimitsView

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
]
