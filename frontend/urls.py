"""The pages' addresses."""

from django.urls import path

from frontend import limits_views, quarantine_views, sanitising_views, schemas_views, views

app_name = "frontend"
urlpatterns = [
    path("", views.home, name="home"),
    path("p/<slug:project>/", views.overview, name="overview"),
    path("p/<slug:project>/schemas/", schemas_views.schema_list, name="schemas"),
    path("p/<slug:project>/schemas/new/", schemas_views.schema_new, name="schema-new"),
    path("p/<slug:project>/schemas/<int:schema_id>/", schemas_views.schema, name="schema"),
    path("p/<slug:project>/schemas/<int:schema_id>/mode/", schemas_views.schema_mode, name="schema-mode"),
    path(
        "p/<slug:project>/schemas/<int:schema_id>/version/",
        schemas_views.schema_version,
        name="schema-version",
    ),
    path("p/<slug:project>/sanitising/", sanitising_views.sanitising, name="sanitising"),
    path(
        "p/<slug:project>/sanitising/<int:rule_id>/", sanitising_views.sanitising_rule, name="sanitising-rule"
    ),
    path("p/<slug:project>/limits/", limits_views.limits, name="limits"),
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
