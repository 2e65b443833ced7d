"""The pages of schemas: the list, and the editor with its dry run, versions and their differences."""

from collections.abc import Iterator
from difflib import unified_diff
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Project, User
from accounts.permissions import require_permission
from accounts.roles import has_permission
from accounts.selectors import projects_of
from events.errors import Overloaded
from events.schemas import services
from events.schemas.errors import Flaw, SchemaInvalid
from events.schemas.models import EventSchema, SchemaVersion
from events.schemas.selectors import list_schemas, list_versions, select_caught, select_types

PAGE = "schemas"
EMPTY = '{\n  "type": "object",\n  "properties": {}\n}\n'


@require_safe
@require_permission("schemas.view")
def schema_list(request: HttpRequest, project: Project) -> HttpResponse:
    """Each schema with its mode and what it caught lately."""
    caught = select_caught(project_id=project.pk)
    schemas = list(list_schemas(project_id=project.pk))
    known = {schema.type for schema in schemas}
    context = {
        "rows": [(schema, caught.get(schema.type)) for schema in schemas],
        "types": [name for name in select_types(project_id=project.pk) if name not in known],
    }
    return render(request, "frontend/schemas/list.html", context | _frame(request, project))


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission("schemas.view")
def schema_new(request: HttpRequest, project: Project) -> HttpResponse:
    """The editor for a type that has no schema yet."""
    event_type = request.POST.get("type", request.GET.get("type", "")).strip()
    known = list_schemas(project_id=project.pk).filter(type=event_type).first()
    if known is not None:
        return redirect("frontend:schema", project=project.slug, schema_id=known.pk)
    return _edit(request, project, None, event_type)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission("schemas.view")
def schema(request: HttpRequest, project: Project, schema_id: int) -> HttpResponse:
    """The editor for another version, the mode, and the versions there are."""
    found = _schema_of(project, schema_id)
    return _edit(request, project, found, found.type)


@require_POST
@require_permission("schemas.edit")
def schema_mode(request: HttpRequest, project: Project, schema_id: int) -> HttpResponse:
    """Change the mode; enforcing shows what it would refuse first."""
    found, force = _schema_of(project, schema_id), "force" in request.POST
    mode = request.POST.get("mode", "")
    if mode not in EventSchema.Mode.values:
        raise Http404(_("There is no such mode."))
    try:
        changed, trial = services.set_mode(schema=found, mode=mode, force=force)
    except (services.SchemaRefused, Overloaded) as error:
        return _edit(request, project, found, found.type, refused=error, refused_mode=mode)
    messages.success(request, _("The mode is now: %(mode)s.") % {"mode": changed.get_mode_display().lower()})
    if trial is not None:
        said = ngettext(
            "%(count)d stored event was tried.", "%(count)d stored events were tried.", trial.checked
        )
        messages.info(request, said % {"count": trial.checked})
    return redirect("frontend:schema", project=project.slug, schema_id=found.pk)


@require_POST
@require_permission("schemas.edit")
def schema_version(request: HttpRequest, project: Project, schema_id: int) -> HttpResponse:
    """Go back to an earlier version, or forth again."""
    found = _schema_of(project, schema_id)
    version = _version_of(found, request.POST.get("version", ""))
    try:
        services.use_version(schema=found, number=version.number, force="force" in request.POST)
    except (services.SchemaRefused, Overloaded) as error:
        return _edit(request, project, found, found.type, refused=error, refused_version=version.number)
    messages.success(request, _("Version %(number)d is the current one.") % {"number": version.number})
    return redirect("frontend:schema", project=project.slug, schema_id=found.pk)


def _edit(
    request: HttpRequest, project: Project, found: EventSchema | None, event_type: str, **shown: Any
) -> HttpResponse:
    context: dict[str, Any] = {
        "schema": found,
        "type": event_type,
        "note": request.POST.get("note", ""),
        **shown,
    }
    sent = request.POST.get("text", "").replace("\r\n", "\n")  # as browsers end lines
    context["text"] = sent or (found.current.text if found else EMPTY)
    if request.method == "POST" and not shown:
        answer = _act(request, project, event_type, context)
        if answer is not None:
            return answer
    if found is not None:
        context |= {
            "versions": list_versions(schema=found),
            "caught": select_caught(project_id=project.pk).get(found.type),
            "difference": _difference(request, found),
            "modes": EventSchema.Mode.choices,
        }
    return render(request, "frontend/schemas/edit.html", context | _frame(request, project))


def _act(
    request: HttpRequest, project: Project, event_type: str, context: dict[str, Any]
) -> HttpResponse | None:
    """What the button says: infer, check or save. An answer once saved, otherwise what the page is to show."""
    action = request.POST.get("action", "check")
    try:
        services.check_type(event_type)
        if action == "infer":
            context["text"], context["inferred"] = services.infer_text(
                project_id=project.pk, event_type=event_type
            )
        elif action == "save" and has_permission(request.user, project, "schemas.edit"):
            return _save(request, project, event_type, context)
        else:
            context["checked"] = services.check_schema(
                project_id=project.pk, event_type=event_type, text=context["text"]
            )
    except SchemaInvalid as error:
        context["flaws"] = error.flaws
    except Overloaded as error:
        context["flaws"] = [Flaw("", error.detail)]
    except services.SchemaRefused as error:
        context["refused"] = error
    return None


def _save(request: HttpRequest, project: Project, event_type: str, context: dict[str, Any]) -> HttpResponse:
    user = request.user if isinstance(request.user, User) else None
    saved = services.save_version(
        project_id=project.pk,
        event_type=event_type,
        text=context["text"],
        note=context["note"][:500],
        user=user,
        author=request.user.get_username(),
        force="force" in request.POST,
    )
    messages.success(request, _("Saved as version %(number)d.") % {"number": saved.version.number})
    for finding in saved.findings:
        messages.warning(request, f"{finding.pointer or '/'}: {finding.message}")
    return redirect("frontend:schema", project=project.slug, schema_id=saved.version.schema_id)


def _difference(request: HttpRequest, found: EventSchema) -> list[tuple[str, str]] | None:
    """(kind, line) of what two versions differ in, as ?before=1&after=2 asks."""
    if "before" not in request.GET or "after" not in request.GET:
        return None
    before, after = (_version_of(found, request.GET[name]) for name in ("before", "after"))
    return list(_lines(before, after))


def _lines(before: SchemaVersion, after: SchemaVersion) -> Iterator[tuple[str, str]]:
    kinds = {"+": "added", "-": "removed", "@": "place"}
    first, second = (_("version %(number)d") % {"number": version.number} for version in (before, after))
    for line in unified_diff(before.text.splitlines(), after.text.splitlines(), first, second, lineterm=""):
        yield kinds.get(line[0], "same"), line


def _schema_of(project: Project, schema_id: int) -> EventSchema:
    found = list_schemas(project_id=project.pk).filter(pk=schema_id).first()
    if found is None:
        raise Http404(_("There is no such schema in this project."))
    return found


def _version_of(found: EventSchema, number: str) -> SchemaVersion:
    version = (
        found.versions.filter(number=int(number)).first() if number.isdecimal() and len(number) < 9 else None
    )
    if version is None:
        raise Http404(_("There is no such version of this schema."))
    return version


def _frame(request: HttpRequest, project: Project) -> dict[str, Any]:
    return {
        "page": PAGE,
        "project": project,
        "projects": projects_of(request.user),
        "may_edit": has_permission(request.user, project, "schemas.edit"),
    }
