"""/api/v1/ paths of ingest."""

from django.urls import path

from events.limits_api import LimitsView
from events.views import EventsView

app_name = "events"
urlpatterns = [
    path("events", EventsView.as_view(), name="events"),
    path("limits", LimitsView.as_view(), name="limits"),
]
