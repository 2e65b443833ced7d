"""A URL conf for the tests of accounts: sign-in, the admin, and probes of every permission."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path
from django.views import View
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import ApiKeyAuthentication
from accounts.models import Project
from accounts.permissions import ProjectPermissionMixin, require_permission, requires
from accounts.roles import PERMISSIONS, Permission


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Hello {request.user}")


def _page(permission: Permission) -> URLPattern:
    @require_permission(permission)
    def page(request: HttpRequest, project: Project) -> HttpResponse:
        return HttpResponse(project.slug)

    return path(f"pages/{permission}/<slug:project>", page)


def _class_page(asked: Permission) -> URLPattern:
    class Page(ProjectPermissionMixin, View):
        permission = asked

        def get(self, request: HttpRequest, project: str) -> HttpResponse:
            return HttpResponse(self.project.slug)

    return path(f"class-pages/{asked}/<slug:project>", Page.as_view())


def _api(asked: Permission) -> URLPattern:
    class Probe(APIView):
        authentication_classes = [ApiKeyAuthentication, SessionAuthentication]
        permission_classes = [requires(asked)]

        def get(self, request: Request) -> Response:
            return Response({"asked": asked})

    return path(f"api/{asked}", Probe.as_view())


urlpatterns: list[URLPattern | URLResolver] = [
    path("", home),
    path("admin/", admin.site.urls),
    path("accounts/", include("accounts.urls")),
]
for each in PERMISSIONS:
    urlpatterns += [_page(each), _class_page(each), _api(each)]
