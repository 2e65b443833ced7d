"""The pages' addresses."""

from django.urls import path

from frontend import limits_views, views

app_name = "frontend"
urlpatterns = [
    path("", views.home, name="home"),
    path("p/<slug:project>/", views.overview, name="overview"),
    path("p/<slug:project>/limits/", limits_views.limits, name="limits"),
]
