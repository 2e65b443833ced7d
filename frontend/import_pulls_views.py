"""Schedules on the imports page: make one, fetch now, pause, resume, delete."""

from collections.abc import Callable
from typing import Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.models import Project
from accounts.permissions import require_permission
from events.errors import RequestRefused
from events.imports.mapping import parse_mapping
from events.imports.models import ImportPull
from events.imports.pulling import create_pull, delete_pull, find_pull, run_pull_now, set_pull_enabled
from frontend.imports_views import render_list

_ACTIONS: Final[dict[str, tuple[Callable[[ImportPull], object], str | Promise]]] = {
    "run": (lambda pull: run_pull_now(pull=pull), gettext_lazy("A worker looks within seconds.")),
    "pause": (lambda pull: set_pull_enabled(pull=pull, enabled=False), gettext_lazy("Paused.")),
    "resume": (lambda pull: set_pull_enabled(pull=pull, enabled=True), gettext_lazy("Resumed.")),
    "delete": (lambda pull: delete_pull(pull=pull), gettext_lazy("Deleted. What it imported stays.")),
}


@require_POST
@require_permission("imports.run")
def create(request: HttpRequest, project: Project) -> HttpResponse:
    mapping = request.POST.get("mapping", "").strip()
    try:
        create_pull(
            project_id=project.pk,
            name=request.POST.get("name", ""),
            url=request.POST.get("url", "").strip(),
            cron=request.POST.get("cron", ""),
            mapping=parse_mapping(mapping) if mapping else None,
            created_by=request.user.get_username(),
        )
    except RequestRefused as error:
        messages.error(request, error.detail)
        return render_list(request, project, pull_form=request.POST.dict())
    messages.success(request, _("The file is fetched when its schedule says."))
    return redirect("frontend:imports", project=project.slug)


@require_POST
@require_permission("imports.run")
def change(request: HttpRequest, project: Project, pull_id: int) -> HttpResponse:
    pull = find_pull(project_id=project.pk, pull_id=pull_id)
    action, said = _ACTIONS.get(request.POST.get("action", ""), (None, ""))
    if pull is None or action is None:
        raise Http404(_("There is no such schedule in this project."))
    action(pull)
    messages.success(request, str(said))
    return redirect("frontend:imports", project=project.slug)
