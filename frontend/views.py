"""The pages: each reads through selectors and renders; the live socket keeps it moving."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts.models import Project
from accounts.permissions import require_permission
from accounts.roles import has_permission
from accounts.selectors import projects_of
from events.selectors import has_events
from monitoring.overview import read_overview

LAST_PROJECT = "streamgauge_project"


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Where sign-in leads: the project seen last, else the first one, else what to do without any."""
    projects = {project.slug: project for project in projects_of(request.user)}
    if not projects:
        return render(request, "frontend/no_project.html")
    slug = request.session.get(LAST_PROJECT)
    return redirect("frontend:overview", project=slug if slug in projects else next(iter(projects)))


@require_safe
@require_permission("dashboard.view")
def overview(request: HttpRequest, project: Project) -> HttpResponse:
    """A project's live overview, complete without JavaScript at the moment it is read."""
    if request.session.get(LAST_PROJECT) != project.slug:
        request.session[LAST_PROJECT] = project.slug
    context = {
        "page": "overview",
        "project": project,
        "projects": projects_of(request.user),
        "overview": read_overview(project.pk),
        "untouched": not has_events(project_id=project.pk),
        "ingest_url": request.build_absolute_uri("/api/v1/events"),
        "may_see_rejected": has_permission(request.user, project, "rejected.view"),
        "may_manage_keys": has_permission(request.user, project, "keys.manage"),
    }
    return render(request, "frontend/overview.html", context)
