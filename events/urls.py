"""/api/v1/ paths of ingest."""

from django.urls import path

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
from events.views import EventsView, LimitsView

app_name = "events"
urlpatterns = [
    path("events", EventsView.as_view(), name="events"),
    path("limits", LimitsView.as_view(), name="limits"),
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
