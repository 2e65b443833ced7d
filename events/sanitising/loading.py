"""A project's rules from rows, and the key of its tokens."""

from collections.abc import Callable

import structlog
from django.conf import settings
from django.utils.crypto import salted_hmac

from events.decoding import Event
from events.errors import Overloaded
from events.sanitising.errors import RuleInvalid
from events.sanitising.models import SanitisingRule
from events.sanitising.rules import Rule, compile_rule
from events.sanitising.sanitiser import Sanitiser
from events.sanitising.tokens import Tokens

_SALT = "streamgauge.sanitising"
log = structlog.get_logger(__name__)


def tokens_of(project_id: int) -> Tokens:
    """Keyed from SECRET_KEY and the project: tokens of two projects never meet, and another key makes others."""
    key = salted_hmac(_SALT, str(project_id), secret=settings.SECRET_KEY, algorithm="sha256")
    return Tokens(key.digest())


def load_sanitiser(project_id: int, using: str) -> Sanitiser | None:
    """The enabled rules of a project, in order; None without any.

    Raises django.db.Error, and Overloaded for a rule that cannot be applied.
    """
    rows = SanitisingRule.objects.using(using).filter(project_id=project_id, enabled=True)
    tokens = tokens_of(project_id)
    rules = [_compiled(row, tokens) for row in rows]
    return Sanitiser(rules, tokens) if rules else None


def load_screens(project_id: int, using: str) -> tuple[Callable[[Event], Event], ...]:
    """For events.policies.LOADERS."""
    sanitiser = load_sanitiser(project_id, using)
    return (sanitiser.screen,) if sanitiser else ()


def _compiled(row: SanitisingRule, tokens: Tokens) -> Rule:
    try:
        return compile_rule(row.text, tokens)
    except RuleInvalid as error:
        # Rows are checked before they are written. Going on without one would store what it should hide.
        log.warning("sanitising_rule_unusable", rule=row.pk, project=row.project_id, error=error.message)
        raise Overloaded(
            f"The sanitising rule {row} cannot be applied; have an admin of the project correct it.",
            retry_after=60,
        ) from error
