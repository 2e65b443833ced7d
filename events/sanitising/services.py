"""Every change to sanitising rules: checked, audited, and in force everywhere within a second."""

from typing import Final

from django.db import transaction
from django.db.models import Max, QuerySet

from accounts.models import User
from accounts.services import bump_policy_version
from events.sanitising.errors import RuleInvalid
from events.sanitising.loading import tokens_of
from events.sanitising.models import SanitisingRule
from events.sanitising.rules import RuleText, compile_rule

MAX_RULES: Final = 50
_MAX_POSITION: Final = 1_000_000


def list_rules(*, project_id: int) -> QuerySet[SanitisingRule]:
    """A project's rules in the order in which they apply."""
    return SanitisingRule.objects.filter(project_id=project_id)


def add_rule(
    *,
    project_id: int,
    text: RuleText,
    position: int | None = None,
    enabled: bool = True,
    user: User | None = None,
) -> SanitisingRule:
    """Add a rule, behind the others unless a position is given. Raises RuleInvalid."""
    rule = SanitisingRule(project_id=project_id, created_by=user)
    with transaction.atomic():
        bump_policy_version(project_id=project_id)  # also the lock that orders two changes at once
        mine = list_rules(project_id=project_id)
        if mine.count() >= MAX_RULES:
            raise RuleInvalid("", f"A project has at most {MAX_RULES} rules; remove one, or join two.")
        last: int = mine.aggregate(last=Max("position"))["last"] or 0
        _fill(rule, text, min(last + 1, _MAX_POSITION) if position is None else position, enabled)
        rule.save()
    return rule


def change_rule(
    *, rule: SanitisingRule, text: RuleText, position: int | None = None, enabled: bool = True
) -> SanitisingRule:
    """Change a rule. What was stored under the old one stays as it is. Raises RuleInvalid."""
    with transaction.atomic():
        bump_policy_version(project_id=rule.project_id)
        _fill(rule, text, rule.position if position is None else position, enabled)
        rule.save()
    return rule


def move_rule(*, rule: SanitisingRule, places: int) -> None:
    """Move a rule up (negative) or down among the project's rules, which are numbered anew from 1."""
    with transaction.atomic():
        bump_policy_version(project_id=rule.project_id)
        rules = list(list_rules(project_id=rule.project_id))
        old = next(place for place, each in enumerate(rules) if each.pk == rule.pk)
        rules.insert(max(0, old + places), rules.pop(old))
        for position, each in enumerate(rules, 1):
            if each.position != position:
                each.position = position
                each.save(update_fields=["position"])


def delete_rule(*, rule: SanitisingRule) -> None:
    """Remove a rule: events that arrive from now on are stored as they are sent, as far as it goes."""
    with transaction.atomic():
        bump_policy_version(project_id=rule.project_id)
        rule.delete()


def _fill(rule: SanitisingRule, text: RuleText, position: int, enabled: bool) -> None:
    if text.action not in SanitisingRule.Action.values:
        raise RuleInvalid("action", f"Actions are {', '.join(SanitisingRule.Action.values)}; choose one.")
    if text.pattern and text.pattern not in SanitisingRule.Pattern.values:
        raise RuleInvalid("pattern", f"Patterns are {', '.join(SanitisingRule.Pattern.values)}; choose one.")
    if not 0 <= position <= _MAX_POSITION:
        raise RuleInvalid("position", f"A position is a number from 0 to {_MAX_POSITION}.")
    compile_rule(text, tokens_of(rule.project_id))
    rule.name, rule.action, rule.path, rule.pattern = text.name, text.action, text.path, text.pattern
    rule.expression = text.expression if text.pattern == "custom" else ""
    rule.position, rule.enabled = position, enabled
