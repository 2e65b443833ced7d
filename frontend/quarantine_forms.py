"""What the quarantine's pages are asked for: which refused events, and what to do with them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from events.quarantine.patches import Step
from events.quarantine.rows import ACTIONS, STATES, Action, Selection, State

MOST_IDS = 500
_LABELS = {
    "waiting": _("Waiting"),
    "replaying": _("Being replayed"),
    "replayed": _("Replayed"),
    "discarded": _("Discarded"),
}


def _moment_input() -> forms.DateTimeInput:
    return forms.DateTimeInput(attrs={"placeholder": "2026-01-31 12:00"})


class FilterForm(forms.Form):
    """The list's filter; what is empty does not count. Times are in UTC."""

    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[(state, _LABELS[state]) for state in STATES] + [("all", _("All"))],
    )
    type = forms.CharField(label=_("Type"), required=False, max_length=200)
    code = forms.CharField(label=_("Code"), required=False, max_length=100)
    start = forms.DateTimeField(label=_("From (UTC)"), required=False, widget=_moment_input())
    end = forms.DateTimeField(label=_("Until (UTC)"), required=False, widget=_moment_input())
    bulk = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def selection(self) -> Selection:
        """What the form says; everything that waits, when it says nothing that can be."""
        given: dict[str, Any] = self.cleaned_data if self.is_valid() else {}
        state: State = given.get("state") or "waiting"
        return Selection(
            state=state if state in STATES else None,
            type=given.get("type") or None,
            code=given.get("code") or None,
            start=_utc(given.get("start")),
            end=_utc(given.get("end")),
            bulk=given.get("bulk"),
        )

    def query(self, **more: str) -> str:
        """The filter as a query string, for links."""
        found = QueryDict(mutable=True)
        found.update({name: value for name, value in self.data.items() if value and name in self.fields})
        found.update(more)
        return found.urlencode()


class ActionForm(forms.Form):
    """An action on the events that are ticked, or on all that match the filter."""

    action = forms.ChoiceField(choices=[(action, action) for action in ACTIONS])
    scope = forms.ChoiceField(choices=[("selected", "selected"), ("matching", "matching")])
    op = forms.ChoiceField(required=False, choices=[("", ""), ("set", "set"), ("remove", "remove")])
    pointer = forms.CharField(required=False, max_length=500)
    value = forms.CharField(required=False, max_length=10_000, strip=False)

    @property
    def chosen(self) -> Action:
        action: Action = self.cleaned_data["action"]
        return action

    def steps(self) -> list[Step]:
        """The correction, if one is given. A value that is no JSON is taken for text."""
        op, pointer = self.cleaned_data["op"], self.cleaned_data["pointer"].strip()
        if not op or self.chosen != "replay":
            return []
        if op == "remove":
            return [Step("remove", pointer)]
        return [Step("set", pointer, _json_or_text(self.cleaned_data["value"]))]


def chosen(form: ActionForm, filters: FilterForm, data: QueryDict) -> Selection:
    """What an action is meant for. Raises ValueError, with what to do about it."""
    if not form.is_valid() or not filters.is_valid():
        raise ValueError(gettext("The form was not complete; choose again."))
    if form.cleaned_data["scope"] == "matching":
        return filters.selection()
    ids = data.getlist("id")[:MOST_IDS]
    if not ids:
        raise ValueError(gettext("Tick at least one event first."))
    return Selection(ids=tuple(map(UUID, ids)))


def _json_or_text(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
