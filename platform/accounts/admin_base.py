"""What our admin pages share: the role table decides, and big tables are never counted."""

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.utils.functional import cached_property

from accounts.models import Project
from accounts.roles import Permission, has_permission
from accounts.selectors import projects_with

# Generic for the type checker only.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _Paginator = Paginator[Any]
else:
    _ModelAdmin = admin.ModelAdmin
    _Paginator = Paginator

MAX_COUNTED: Final = 10_000


class BoundedPaginator(_Paginator):
    """Counts at most MAX_COUNTED rows: a list of a big table opens as fast as one of a small one."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[:MAX_COUNTED].count() if isinstance(rows, QuerySet) else len(rows)


class BoundedAdmin(_ModelAdmin):
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50


class SuperuserAdmin(BoundedAdmin):
    """Only superusers see or change these: they belong to no project."""

    def _may(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request)


class ProjectScopedAdmin(BoundedAdmin):
    """Members of staff see and change what belongs to the projects where the role table lets them.

    `permission` is the table's; `project_field` the path from the model to its project's id.
    """

    permission: ClassVar[Permission]
    project_field: ClassVar[str] = "project_id"

    def _may(self, request: HttpRequest, obj: Model | None) -> bool:
        if request.user.is_active and request.user.is_superuser:
            return True
        if obj is not None:
            return has_permission(request.user, getattr(obj, self.project_field), self.permission)
        return projects_with(request.user, self.permission).exists()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        mine = projects_with(request.user, self.permission).values("id")
        return rows.filter(**{f"{self.project_field}__in": mine})

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> "ModelChoiceField[Any] | None":
        if db_field.remote_field.model is Project:
            kwargs["queryset"] = projects_with(request.user, self.permission)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        # Moving a row would take it out of the project whose admin decided about it.
        return [*fields, "project"] if obj is not None and self.project_field == "project_id" else fields

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request, None)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, None)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, obj)
