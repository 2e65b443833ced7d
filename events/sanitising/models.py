"""Sanitising rules, as rows that admins of a project write."""

from typing import Any, cast

from auditlog.registry import auditlog
from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Project
from events.sanitising.paths import MAX_POINTER
from events.sanitising.patterns import MAX_EXPRESSION
from events.sanitising.rules import RuleText


class SanitisingRule(models.Model):
    """One rule; a project's rules apply in the order of `position`."""

    class Action(models.TextChoices):
        DROP = "drop", "Drop"
        MASK = "mask", "Mask"
        HASH = "hash", "Hash"

    class Pattern(models.TextChoices):
        EMAIL = "email", "Email addresses"
        CARD = "card", "Card numbers"
        IP = "ip", "IP addresses"
        CUSTOM = "custom", "A regular expression"

    project = models.ForeignKey(Project, models.CASCADE, related_name="sanitising_rules")
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=100, blank=True)
    action = models.CharField(max_length=4, choices=Action.choices)
    path = models.CharField(max_length=MAX_POINTER, blank=True)
    pattern = models.CharField(max_length=6, choices=Pattern.choices, blank=True)
    expression = models.CharField(max_length=MAX_EXPRESSION, blank=True)
    enabled = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=(Q(path="") & ~Q(pattern="")) | (~Q(path="") & Q(pattern="")),
                name="sanitising_rule_path_or_pattern",
            ),
            models.CheckConstraint(
                condition=Q(action__in=["drop", "mask", "hash"]), name="sanitising_rule_action_known"
            ),
        ]

    def __str__(self) -> str:
        return self.text.label

    @property
    def text(self) -> RuleText:
        action = cast("Any", self.action)  # one of Action, as a constraint says
        return RuleText(action, self.path, self.pattern, self.expression, self.name)

    def get_additional_data(self) -> dict[str, Any]:
        return {"project_id": self.project_id}


auditlog.register(SanitisingRule)
