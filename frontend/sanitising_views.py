"""The page of sanitising: the rules in their order, another one, and a preview before anything is saved."""

from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import Project, User
from accounts.permissions import require_permission
from accounts.roles import has_permission
from accounts.selectors import projects_of
from events.sanitising import services
from events.sanitising.errors import RuleInvalid
from events.sanitising.models import SanitisingRule
from events.sanitising.preview import Preview, preview_events, select_last_events
from events.sanitising.rules import Action, RuleText

PAGE = "sanitising"
PLACES = ("path", *SanitisingRule.Pattern.values)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission("schemas.view")
def sanitising(request: HttpRequest, project: Project) -> HttpResponse:
    """The rules; a POST previews them with the rule of the form, or saves that rule."""
    context: dict[str, Any] = {"form": _form(request), "event": request.POST.get("event", "")}
    if request.method == "POST":
        try:
            if request.POST.get("action") == "save" and has_permission(request.user, project, "schemas.edit"):
                return _save(request, project)
            context["previews"] = _preview(request, project)
        except RuleInvalid as error:
            context["error"] = error
    context |= {
        "page": PAGE,
        "project": project,
        "projects": projects_of(request.user),
        "rules": services.list_rules(project_id=project.pk),
        "may_edit": has_permission(request.user, project, "schemas.edit"),
        "may_read": has_permission(request.user, project, "events.read"),
        "actions": SanitisingRule.Action.choices,
        "patterns": SanitisingRule.Pattern.choices,
    }
    return render(request, "frontend/sanitising/rules.html", context)


@require_POST
@require_permission("schemas.edit")
def sanitising_rule(request: HttpRequest, project: Project, rule_id: int) -> HttpResponse:
    """Turn a rule on or off, move it, or remove it."""
    rule = services.list_rules(project_id=project.pk).filter(pk=rule_id).first()
    if rule is None:
        raise Http404(_("There is no such rule in this project."))
    action = request.POST.get("action")
    if action == "delete":
        services.delete_rule(rule=rule)
        messages.success(request, _("Removed: %(rule)s. What it hid stays hidden.") % {"rule": rule})
    elif action == "toggle":
        services.change_rule(rule=rule, text=rule.text, enabled=not rule.enabled)
    elif action in {"up", "down"}:
        services.move_rule(rule=rule, places=-1 if action == "up" else 1)
    else:
        raise Http404(_("There is no such action."))
    return redirect("frontend:sanitising", project=project.slug)


def _save(request: HttpRequest, project: Project) -> HttpResponse:
    user = request.user if isinstance(request.user, User) else None
    rule = services.add_rule(project_id=project.pk, text=_rule_text(_form(request)), user=user)
    messages.success(request, _("In force within a second: %(rule)s.") % {"rule": rule})
    return redirect("frontend:sanitising", project=project.slug)


def _preview(request: HttpRequest, project: Project) -> list[Preview]:
    """The project's rules and, when its form is filled in, the new one, over an event or those stored last."""
    texts = [rule.text for rule in services.list_rules(project_id=project.pk).filter(enabled=True)]
    form = _form(request)
    if form["place"] != "path" or form["path"]:
        texts.append(_rule_text(form))
    pasted = request.POST.get("event", "").strip()
    if pasted:
        events = [pasted.encode("utf-8", "replace")]
    elif has_permission(request.user, project, "events.read"):
        events = select_last_events(project_id=project.pk)
    else:
        events = []
    return preview_events(project_id=project.pk, texts=texts, events=events)


def _form(request: HttpRequest) -> dict[str, str]:
    names = ("name", "do", "place", "path", "expression")
    form = {name: request.POST.get(name, "") for name in names}
    if form["place"] not in PLACES:
        form["place"] = "path"
    return form


def _rule_text(form: dict[str, str]) -> RuleText:
    if form["do"] not in SanitisingRule.Action.values:
        raise RuleInvalid("action", _("Choose what the rule does: drop, mask or hash."))
    action = cast("Action", form["do"])
    if form["place"] != "path":
        expression = form["expression"] if form["place"] == "custom" else ""
        return RuleText(action, "", form["place"], expression, form["name"][:100])
    if not form["path"].strip():
        raise RuleInvalid("path", _("Give a path such as /data/user/email, or choose what to look for."))
    return RuleText(action, form["path"].strip(), name=form["name"][:100])
