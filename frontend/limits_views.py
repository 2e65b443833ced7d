"""The page of a project's limits: what it may send, what it sent today, and what was dropped and why."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import Project
from accounts.permissions import require_permission
from accounts.roles import has_permission
from accounts.selectors import projects_of
from events.limit_selectors import read_limits


@require_safe
@require_permission("rejected.view")
def limits(request: HttpRequest, project: Project) -> HttpResponse:
    may_edit = request.user.is_staff and has_permission(request.user, project, "keys.manage")
    context = {
        "page": "limits",
        "project": project,
        "projects": projects_of(request.user),
        "limits": read_limits(project),
        "may_edit": may_edit,
    }
    return render(request, "frontend/limits/limits.html", context)
