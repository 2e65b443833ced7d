"""Django's admin for pipelines: what they compute, and deploying, pausing and resuming them."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_base import ProjectScopedAdmin
from processing.models import Pipeline, PipelineVersion
from processing.services import pause_pipeline, resume_pipeline

# Generic for the type checker only.
if TYPE_CHECKING:
    _Inline = admin.TabularInline[PipelineVersion, Pipeline]
else:
    _Inline = admin.TabularInline


class _ReadOnlyVersions(_Inline):
    """Versions are made by deploying, and never changed after."""

    model = PipelineVersion
    fk_name = "pipeline"
    fields = ("number", "state", "definition", "effective_from", "effective_until")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Pipeline)
class PipelineAdmin(ProjectScopedAdmin):
    permission = "pipelines.edit"
    list_display = ["name", "project", "enabled", "current_version", "created_at"]
    list_select_related = ["project", "current_version__pipeline"]
    search_fields = ["name", "project__slug"]
    readonly_fields = ["project", "name", "enabled", "current_version", "created_at"]
    inlines = [_ReadOnlyVersions]
    actions = ["resume", "pause"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description="Resume selected pipelines", permissions=["change"])
    def resume(self, request: HttpRequest, pipelines: QuerySet[Pipeline]) -> None:
        resumed = [
            resume_pipeline(pipeline=one)
            for one in pipelines.filter(enabled=False, current_version__isnull=False)
        ]
        text = f"Resumed {len(resumed)} pipeline(s): events received from now on count."
        self.message_user(request, text, messages.SUCCESS)

    @admin.action(description="Pause selected pipelines", permissions=["change"])
    def pause(self, request: HttpRequest, pipelines: QuerySet[Pipeline]) -> None:
        paused = [pause_pipeline(pipeline=one) for one in pipelines.filter(enabled=True)]
        text = f"Paused {len(paused)} pipeline(s): their open windows close as usual."
        self.message_user(request, text, messages.SUCCESS)
