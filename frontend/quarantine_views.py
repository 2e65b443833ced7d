"""The quarantine's pages: what was refused, by reason; correcting, replaying and discarding it."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Project
from accounts.permissions import refusal, require_permission
from accounts.roles import has_permission
from accounts.selectors import projects_of
from events.errors import IngestError, InvalidEvent
from events.quarantine import selectors, services
from events.quarantine.bulks import Progress, get_progress
from events.quarantine.errors import NotThere, QuarantineError
from events.quarantine.locating import locate
from events.quarantine.rows import Action, Detailed, Refused, Selection
from events.rejected_documents import ndjson
from frontend.quarantine_forms import ActionForm, FilterForm, chosen

RELOAD_SECONDS: Final = 2
# Beyond it a browser's editor is of no use, and Django refuses the form: the API takes the rest.
EDITABLE: Final = 1024 * 1024


@require_safe
@require_permission("rejected.view")
def rejected(request: HttpRequest, project: Project) -> HttpResponse:
    """What was refused: by type and code, and one by one."""
    form = FilterForm(request.GET)
    selection = form.selection()
    try:
        rows, cursor = selectors.list_rejected(
            project_id=project.pk, selection=selection, cursor=request.GET.get("cursor")
        )
    except ValueError:
        return redirect(f"{reverse('frontend:rejected', args=[project.slug])}?{form.query()}")
    every = Selection(state=selection.state, start=selection.start, end=selection.end)
    context = {
        "form": form,
        "selection": selection,
        "groups": selectors.group_rejected(project_id=project.pk, selection=every),
        "rows": rows,
        "may_act": has_permission(request.user, project, "rejected.replay")
        and selection.state in ("waiting", "discarded"),
        "count": selectors.count_rejected(project_id=project.pk, selection=selection),
        "next": cursor and form.query(cursor=cursor),
        "query": form.query(),
        "done": _done(request, project),
        "retention_days": project.rejected_retention_days,
    }
    return render(request, "frontend/rejected/list.html", {**_frame(request, project), **context})


@require_safe
@require_permission("rejected.view")
def rejected_download(request: HttpRequest, project: Project) -> HttpResponseBase:
    """All that match the filter, as NDJSON."""
    selection = FilterForm(request.GET).selection()
    return ndjson(selectors.each_rejected(project_id=project.pk, selection=selection))


@require_POST
@require_permission("rejected.replay")
def act_on_rejected(request: HttpRequest, project: Project) -> HttpResponse:
    """Replay, discard or restore what is ticked, or all that match."""
    back = reverse("frontend:rejected", args=[project.slug])
    form, filters = ActionForm(request.POST), FilterForm(request.POST)
    try:
        progress = services.start_bulk(
            project_id=project.pk,
            selection=chosen(form, filters, request.POST),
            action=form.chosen,
            patch=form.steps(),
            created_by=request.user.get_username(),
        )
    except (QuarantineError, ValueError) as error:
        messages.error(request, str(error))
        return redirect(f"{back}?{filters.query()}")
    if progress.finished_at is None:
        return redirect("frontend:rejected-bulk", project=project.slug, bulk_id=progress.id)
    # What was restored waits again: the list of what is discarded would not show it.
    done = f"done={progress.id}"
    return redirect(f"{back}?{done if form.chosen == 'restore' else filters.query(done=str(progress.id))}")


@require_safe
@require_permission("rejected.view")
def rejected_bulk(request: HttpRequest, project: Project, bulk_id: UUID) -> HttpResponse:
    """How far workers are with a large action; reloads itself until they are done."""
    try:
        progress = get_progress(project_id=project.pk, bulk_id=bulk_id)
    except NotThere as error:
        raise Http404(str(error)) from error
    if progress.finished_at is not None:
        return redirect(f"{reverse('frontend:rejected', args=[project.slug])}?done={bulk_id}")
    context = {**_frame(request, project), "progress": progress}
    response = render(request, "frontend/rejected/progress.html", context)
    response["Refresh"] = str(RELOAD_SECONDS)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission("rejected.view")
def rejected_event(request: HttpRequest, project: Project, rejected_id: UUID) -> HttpResponse:
    """One refused event: look at it, correct it, try it, replay it."""
    try:
        found = selectors.get_rejected(project_id=project.pk, rejected_id=rejected_id)
    except NotThere as error:
        raise Http404(str(error)) from error
    shown = _shown(found.text)
    if request.method != "POST":
        waiting = found.state == "waiting"
        why = InvalidEvent(found.code, found.pointer, found.message) if waiting else None
        return _detail(request, project, found, shown, {"error": why})
    text = request.POST.get("text", shown).replace("\r\n", "\n")
    action = request.POST.get("action", "")
    if action == "validate":
        return _detail(request, project, found, text, _tried(project, found, text))
    if not has_permission(request.user, project, "rejected.replay"):
        raise PermissionDenied(refusal(request.user, "rejected.replay"))
    # Bytes that are no text cannot come back from a form: unchanged means as they are.
    changed = None if text == shown.replace("\r\n", "\n") else text.encode()
    return _act_on_one(request, project, found, action, changed)


def _act_on_one(
    request: HttpRequest, project: Project, found: Detailed, action: str, text: bytes | None
) -> HttpResponse:
    here = redirect("frontend:rejected-event", project=project.slug, rejected_id=found.id)
    try:
        if action in ("discard", "restore"):
            _discard_or_restore(request, project, found, "discard" if action == "discard" else "restore")
            return here
        result = services.replay_event(project_id=project.pk, rejected_id=found.id, text=text)
    except (QuarantineError, IngestError) as error:
        messages.error(request, str(error))
        return here
    if result.result == "replayed":
        messages.success(request, _("The event is stored."))
    elif result.result == "rejected":
        messages.error(request, _("The event was refused again; see why below."))
    else:
        messages.warning(request, _("The database did not answer in time. The replay goes on by itself."))
    return here


def _discard_or_restore(request: HttpRequest, project: Project, found: Detailed, action: Action) -> None:
    services.start_bulk(
        project_id=project.pk,
        action=action,
        selection=Selection(ids=(found.id,)),
        created_by=request.user.get_username(),
    )
    if action == "discard":
        messages.success(request, _("The event is discarded. Until it is removed, it can be restored."))
    else:
        messages.success(request, _("The event waits again."))


def _detail(
    request: HttpRequest, project: Project, found: Detailed, text: str, verdict: dict[str, Any]
) -> HttpResponse:
    error = verdict.get("error")
    span = locate(text, error.pointer) if error else None
    context = {
        "row": found,
        "text": text,
        "editable": len(found.text) <= EDITABLE and found.state == "waiting",
        "is_text": _is_text(found.text),
        "span": span,
        "before": text[max(0, span[0] - 400) : span[0]] if span else "",
        "spot": text[span[0] : span[1]][:400] if span else "",
        "after": text[span[1] : span[1] + 400] if span else "",
        "uid": found.uid if found.state == "replayed" else None,
        **verdict,
    }
    return render(request, "frontend/rejected/event.html", {**_frame(request, project), **context})


def _tried(project: Project, found: Detailed, text: str) -> dict[str, Any]:
    """What the form's text would become: `valid`, or `error`."""
    try:
        verdict = services.validate_text(
            project_id=project.pk, text=text.encode("utf-8", "surrogatepass"), rejected_id=found.id
        )
    except IngestError as error:
        return {"error": InvalidEvent("unavailable", "", str(error))}
    return {"error": verdict.error} if isinstance(verdict, Refused) else {"valid": True}


def _done(request: HttpRequest, project: Project) -> Progress | None:
    """The action that led here, to tell what became of it and to offer its undoing."""
    try:
        return get_progress(project_id=project.pk, bulk_id=UUID(request.GET.get("done", "")))
    except (ValueError, NotThere):
        return None


def _shown(text: bytes) -> str:
    return text[:EDITABLE].decode(errors="replace")


def _is_text(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _frame(request: HttpRequest, project: Project) -> dict[str, Any]:
    return {
        "page": "rejected",
        "project": project,
        "projects": projects_of(request.user),
        "may_replay": has_permission(request.user, project, "rejected.replay"),
    }
