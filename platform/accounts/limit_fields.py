"""The columns that limit what a project or a key may send."""

from typing import Final

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.allowances import Allowance

MAX_RATE: Final = 1_000_000
MAX_BURST: Final = 100_000_000
MAX_DAILY: Final = 1_000_000_000_000
_RATE: Final = [MinValueValidator(1), MaxValueValidator(MAX_RATE)]
_BURST: Final = [MinValueValidator(1), MaxValueValidator(MAX_BURST)]
_DAILY: Final = [MinValueValidator(1), MaxValueValidator(MAX_DAILY)]


class Limited(models.Model):
    """Empty columns limit nothing and cost ingest nothing."""

    rate_limit = models.PositiveIntegerField(
        null=True, blank=True, validators=_RATE, help_text="Events a second. Empty: no limit."
    )
    rate_burst = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=_BURST,
        help_text="Events at once after a pause, and in one request. Empty: ten seconds' worth of the rate.",
    )
    daily_quota = models.PositiveBigIntegerField(
        null=True, blank=True, validators=_DAILY, help_text="Events a day (UTC). Empty: no limit."
    )

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=(Q(rate_limit__isnull=True) | Q(rate_limit__gte=1, rate_limit__lte=MAX_RATE))
                & (Q(daily_quota__isnull=True) | Q(daily_quota__gte=1, daily_quota__lte=MAX_DAILY)),
                name="%(class)s_limits_in_range",
                violation_error_message="A limit is at least one event; leave it empty for none.",
            ),
            models.CheckConstraint(
                condition=Q(rate_burst__isnull=True)
                | Q(rate_limit__isnull=False, rate_burst__gte=1, rate_burst__lte=MAX_BURST),
                name="%(class)s_burst_needs_rate",
                violation_error_message="A burst needs a rate limit: give both, or neither.",
            ),
        ]

    @property
    def allowance(self) -> Allowance:
        return Allowance(self.rate_limit, self.rate_burst, self.daily_quota)
