"""The pages' addresses."""

from django.urls import path

from frontend import import_pulls_views, imports_views, views

app_name = "frontend"
urlpatterns = [
    path("", views.home, name="home"),
    path("p/<slug:project>/", views.overview, name="overview"),
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
