"""Django's admin for people, projects, members and keys, and the audit log to read."""

from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from auditlog.render import render_logentry_changes_html
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.admin_base import ProjectScopedAdmin, SuperuserAdmin
from accounts.forms import KEY_LIMITS, KeyForm, NewMembershipForm
from accounts.models import ApiKey, AuditEntry, Membership, Project, User
from accounts.services import issue_key, revoke_key

# Generic for the type checker only.
if TYPE_CHECKING:
    _UserAdmin = DjangoUserAdmin[User]
else:
    _UserAdmin = DjangoUserAdmin

admin.site.site_header = "Streamgauge"
admin.site.site_title = "Streamgauge"
admin.site.index_title = "Administration"
# allauth's own sign-in: the admin's would go past its throttle and the second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

# Ours instead: auditlog's page allows deletion in a cascade, allauth's shows the secrets of second factors.
for model in (Group, AuditEntry, EmailAddress, Authenticator):
    admin.site.unregister(model)


@admin.register(User)
class UserAdmin(SuperuserAdmin, _UserAdmin):
    list_display = ["username", "email", "is_active", "is_staff", "is_superuser", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser"]
    search_fields = ["username", "email"]
    filter_horizontal = []
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        (
            "Access",
            {
                "fields": ["is_active", "is_staff", "is_superuser"],
                "description": "Staff may open these pages for the projects they are admins of; a superuser "
                "may do everything. Switch an account off rather than deleting it: the audit log names it.",
            },
        ),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    readonly_fields = ["last_login", "date_joined"]


@admin.register(Authenticator)
class AuthenticatorAdmin(SuperuserAdmin):
    """Second factors: to delete one lets its owner sign in without it and set up another."""

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_select_related = ["user"]
    search_fields = ["user__username"]
    fields = ["user", "type", "created_at", "last_used_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Project)
class ProjectAdmin(ProjectScopedAdmin):
    permission = "project.edit"
    project_field = "id"
    list_display = ["slug", "name", "raw_retention_days", "live_limit_days", "created_at"]
    search_fields = ["slug", "name"]
    readonly_fields = ["created_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Programs and links hold the slug.
        return [*self.readonly_fields, "slug"] if obj is not None else self.readonly_fields


@admin.register(Membership)
class MembershipAdmin(ProjectScopedAdmin):
    permission = "members.manage"
    list_display = ["user", "project", "role", "created_at"]
    list_select_related = ["user", "project"]
    list_filter = ["role"]
    search_fields = ["user__username", "project__slug"]
    readonly_fields = ["user", "created_at"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewMembershipForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["project", "username", "role"] if obj is None else ["user", "project", "role", "created_at"]


@admin.register(ApiKey)
class ApiKeyAdmin(ProjectScopedAdmin):
    permission = "keys.manage"
    form = KeyForm
    list_display = ["name", "prefix", "project", "scopes_shown", "state", "last_used_at", "created_at"]
    list_select_related = ["project"]
    search_fields = ["name", "prefix", "project__slug"]
    readonly_fields = ["prefix", "state", "revoked_at", "last_used_at", "created_by", "created_at"]
    actions = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = ["project", "name", "scopes", "expires_at", *KEY_LIMITS]
        return asked if obj is None else [*asked, *self.readonly_fields]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.revoked_at is None)

    @admin.display(description="scopes")
    def scopes_shown(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description="state")
    def state(self, key: ApiKey) -> str:
        return key.state_at(timezone.now())

    @admin.action(description="Revoke selected API keys", permissions=["delete"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        ended = sum(revoke_key(key=key) for key in keys)
        text = f"Revoked {ended} key(s): refused everywhere within a second."
        self.message_user(request, text, messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: "ModelForm[ApiKey]", change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        obj.created_by = request.user if isinstance(request.user, User) else None
        request.new_key_text = issue_key(key=obj).text  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the key in the answer itself: a message would keep it in a cookie or a session."""
        context = {
            **self.admin_site.each_context(request),
            "title": "API key created",
            "opts": self.opts,
            "key": obj,
            "text": request.new_key_text,  # type: ignore[attr-defined]
        }
        response = TemplateResponse(request, "admin/accounts/apikey/created.html", context)
        response["Cache-Control"] = "no-store"
        return response


@admin.register(AuditEntry)
class AuditEntryAdmin(ProjectScopedAdmin):
    """To read only, for everybody: no role changes what was recorded."""

    permission = "audit.read"
    list_display = ["timestamp", "who", "action", "what", "fields_changed"]
    list_display_links = ["timestamp"]
    list_select_related = ["content_type"]
    list_filter = ["action"]
    search_fields = ["actor_name", "object_repr"]
    search_help_text = "Who did it, or the name of what was changed"
    fields = ("timestamp", "who", "remote_addr", "cid", "action", "what", "changed")
    readonly_fields = fields
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    @admin.display(description="who", ordering="actor_name")
    def who(self, entry: AuditEntry) -> str:
        return entry.actor_name

    @admin.display(description="what", ordering="object_repr")
    def what(self, entry: AuditEntry) -> str:
        return f"{entry.content_type.name}: {entry.object_repr}"

    @admin.display(description="fields")
    def fields_changed(self, entry: AuditEntry) -> str:
        return ", ".join(sorted(entry.changes or {}))

    @admin.display(description="changes")
    def changed(self, entry: AuditEntry) -> str:
        return render_logentry_changes_html(entry)  # type: ignore[no-any-return]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
