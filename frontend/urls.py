"""The pages' addresses."""

from django.urls import path

from frontend import quarantine_views, views

app_name = "frontend"
urlpatterns = [
    path("", views.home, name="home"),
    path("p/<slug:project>/", views.overview, name="overview"),
    path("p/<slug:project>/rejected/", quarantine_views.rejected, name="rejected"),
    path("p/<slug:project>/rejected/act", quarantine_views.act_on_rejected, name="rejected-act"),
    path("p/<slug:project>/rejected/download", quarantine_views.rejected_download, name="rejected-download"),
    path(
        "p/<slug:project>/rejected/bulks/<uuid:bulk_id>", quarantine_views.rejected_bulk, name="rejected-bulk"
    ),
    path(
        "p/<slug:project>/rejected/<uuid:rejected_id>", quarantine_views.rejected_event, name="rejected-event"
    ),
]
