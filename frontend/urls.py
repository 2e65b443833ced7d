"""The pages' addresses."""

from django.urls import path

from frontend import (
    import_pulls_views,
    imports_views,
    limits_views,
    quarantine_views,
    sanitising_views,
    schemas_views,
    views,
)

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
    path("p/<slug:project>/imports/", imports_views.imports, name="imports"),
    path("p/<slug:project>/imports/upload", imports_views.upload, name="import-upload"),
    path("p/<slug:project>/imports/pulls", import_pulls_views.create, name="import-pulls"),
    path("p/<slug:project>/imports/pulls/<int:pull_id>", import_pulls_views.change, name="import-pull"),
    path("p/<slug:project>/imports/<uuid:job_id>/", imports_views.import_detail, name="import"),
    path("p/<slug:project>/imports/<uuid:job_id>/start", imports_views.start, name="import-start"),
    path("p/<slug:project>/imports/<uuid:job_id>/cancel", imports_views.cancel, name="import-cancel"),
    path("p/<slug:project>/imports/<uuid:job_id>/delete", imports_views.delete, name="import-delete"),
    path(
        "p/<slug:project>/imports/<uuid:job_id>/rejected.<str:kind>",
        imports_views.rejected,
        name="import-rejected",
    ),
]
