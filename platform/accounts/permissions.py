"""The role table asked by pages and by DRF."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from rest_framework import exceptions
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.identity import KeyPrincipal
from accounts.models import Project
from accounts.roles import SCOPE_PERMISSIONS, Actor, Permission, permissions_of, roles_with
from accounts.selectors import projects_of

P = ParamSpec("P")


def project_for(user: Actor, slug: str, permission: Permission) -> Project:
    """A project by its slug, if the user has the permission there.

    Raises Http404 for those who may do nothing in it, who must not learn that it exists, and PermissionDenied
    for its members without the permission.
    """
    project = Project.objects.filter(slug=slug).first()
    allowed = permissions_of(user, project)
    if project is None or not allowed:
        raise Http404(f"There is no project {slug!r} for you. Ask one of its admins to add you.")
    if permission not in allowed:
        raise PermissionDenied(refusal(user, permission))
    return project


def refusal(user: Actor, permission: Permission) -> str:
    """What to do about a missing permission."""
    if isinstance(user, KeyPrincipal):
        scopes = [scope for scope, granted in SCOPE_PERMISSIONS.items() if permission in granted]
        if scopes:
            return f"This needs a key with the scope {' or '.join(scopes)}."
        return "No key may do this: sign in instead."
    roles = roles_with(permission)
    if not roles:
        return "Only a superuser may do this."
    return f"This needs the role {roles[0].label.lower()} or higher: ask an admin of the project."


def require_permission(
    permission: Permission,
) -> Callable[
    [Callable[Concatenate[HttpRequest, Project, P], HttpResponseBase]],
    Callable[..., HttpResponseBase],
]:
    """For function views with `<slug:project>` in their path: they get the Project, or are never called."""

    def decorate(
        view: Callable[Concatenate[HttpRequest, Project, P], HttpResponseBase],
    ) -> Callable[..., HttpResponseBase]:
        @login_required
        @wraps(view)
        def checked(
            request: HttpRequest, project: str, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponseBase:
            return view(request, project_for(request.user, project, permission), *args, **kwargs)

        return checked

    return decorate


class ProjectPermissionMixin(LoginRequiredMixin):
    """For class views with `<slug:project>` in their path: sets `self.project`, or refuses."""

    permission: ClassVar[Permission]
    project: Project

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            self.project = project_for(request.user, kwargs["project"], self.permission)
        return super().dispatch(request, *args, **kwargs)


def request_project(request: Request) -> Project | int:
    """The project an API request is about: its key's; for a person `?project=`, or the only one there is.

    An id for a key, so that no query is needed. Raises NotFound, ValidationError or PermissionDenied.
    """
    slug = request.query_params.get("project")
    user = request.user
    if isinstance(user, KeyPrincipal):
        if slug is not None and slug != user.identity.project_slug:
            raise exceptions.PermissionDenied("This key belongs to another project.", code="wrong_project")
        return user.identity.project_id
    mine = projects_of(user)
    if slug is not None:
        if (found := mine.filter(slug=slug).first()) is None:
            raise exceptions.NotFound(f"There is no project {slug!r} for you.")
        return found
    first_two = list(mine[:2])
    if len(first_two) != 1:
        raise exceptions.ValidationError({"project": ["Name a project: ?project=…"]})
    return first_two[0]


def requires(permission: Permission) -> type[BasePermission]:
    """A DRF permission class: `permission_classes = [requires("events.read")]`.

    The view finds the project as `request.project`: see request_project.
    """

    class Requires(BasePermission):
        def has_permission(self, request: Request, view: APIView) -> bool:
            if not request.user or not request.user.is_authenticated:
                return False
            project = request_project(request)
            self.message = refusal(request.user, permission)
            request.project = project  # type: ignore[attr-defined]
            return permission in permissions_of(request.user, project)

    Requires.__name__ = Requires.__qualname__ = f"Requires({permission})"
    return Requires
