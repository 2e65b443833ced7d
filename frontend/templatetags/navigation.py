"""The pages of a project that a person may open, in the header's order."""

from typing import Final, NamedTuple

from django import template
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Project
from accounts.roles import Permission, permissions_of

register = template.Library()


class Page(NamedTuple):
    """`name` is what a view puts into its context as `page`, and the name of its address."""

    name: str
    label: str | Promise
    permission: Permission


PAGES: Final = (
    Page("overview", _("Overview"), "dashboard.view"),
    Page("rejected", _("Quarantine"), "rejected.view"),
    Page("imports", _("Imports"), "imports.view"),
    Page("schemas", _("Schemas"), "schemas.view"),
    Page("sanitising", _("Sanitising"), "schemas.view"),
    Page("limits", _("Limits"), "rejected.view"),
)


class Item(NamedTuple):
    name: str
    label: str | Promise
    url: str


@register.simple_tag
def pages_of(request: HttpRequest, project: Project) -> list[Item]:
    """What the role table lets the request's user see of `project`."""
    permissions = permissions_of(request.user, project)
    return [
        Item(page.name, page.label, reverse(f"frontend:{page.name}", args=[project.slug]))
        for page in PAGES
        if page.permission in permissions
    ]
