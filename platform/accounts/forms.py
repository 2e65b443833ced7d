"""The admin's forms for members and keys."""

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import ApiKey, Membership, User
from accounts.roles import Scope
from accounts.services import ordered_scopes

# Generic for the type checker only.
if TYPE_CHECKING:
    _MembershipForm = forms.ModelForm[Membership]
    _KeyForm = forms.ModelForm[ApiKey]
else:
    _MembershipForm = _KeyForm = forms.ModelForm


KEY_LIMITS: Final = ["rate_limit", "rate_burst", "daily_quota", "allowed_types", "allowed_addresses"]


class NewMembershipForm(_MembershipForm):
    """The person is typed, not chosen: an admin of one project need not see everybody."""

    username = forms.CharField(
        max_length=150, help_text="The user name of someone with an account. A superuser makes accounts."
    )

    class Meta:
        model = Membership
        fields = ["project", "role"]

    def clean_username(self) -> str:
        username = str(self.cleaned_data["username"]).strip()
        user = User.objects.filter(username=username).first()
        if user is None:
            raise ValidationError("Nobody has this user name. Check it, or ask a superuser for an account.")
        self.instance.user = user
        return username

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        project = cleaned.get("project")
        if project and Membership.objects.filter(project=project, user_id=self.instance.user_id).exists():
            raise ValidationError("Already a member of this project: change the role instead.")
        return cleaned


class KeyForm(_KeyForm):
    """Scopes as boxes to tick; lists are typed with commas between."""

    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = ApiKey
        fields = ["project", "name", "scopes", "expires_at", *KEY_LIMITS]

    def clean_scopes(self) -> list[str]:
        return ordered_scopes(self.cleaned_data["scopes"])

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at and "expires_at" in self.changed_data and expires_at <= timezone.now():
            raise ValidationError("This time has passed: give one in the future, or leave it empty.")
        return expires_at
