import django.contrib.postgres.fields
import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_policy_version"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="allowed_addresses",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=43),
                blank=True,
                default=list,
                help_text="Addresses and networks it may send from, such as 192.0.2.0/24. Empty: all.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="allowed_types",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=200),
                blank=True,
                default=list,
                help_text="Globs of the event types it may send, such as order.*. Empty: all.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="daily_quota",
            field=models.PositiveBigIntegerField(
                blank=True,
                help_text="Events a day (UTC). Empty: no limit.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000000000000),
                ],
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="rate_burst",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Events at once after a pause, and in one request. Empty: ten seconds' worth of the rate.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(100000000),
                ],
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="rate_limit",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Events a second. Empty: no limit.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000000),
                ],
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="daily_quota",
            field=models.PositiveBigIntegerField(
                blank=True,
                help_text="Events a day (UTC). Empty: no limit.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000000000000),
                ],
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="rate_burst",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Events at once after a pause, and in one request. Empty: ten seconds' worth of the rate.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(100000000),
                ],
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="rate_limit",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Events a second. Empty: no limit.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000000),
                ],
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("rate_limit__isnull", True),
                        models.Q(("rate_limit__gte", 1), ("rate_limit__lte", 1000000)),
                        _connector="OR",
                    ),
                    models.Q(
                        ("daily_quota__isnull", True),
                        models.Q(("daily_quota__gte", 1), ("daily_quota__lte", 1000000000000)),
                        _connector="OR",
                    ),
                ),
                name="apikey_limits_in_range",
                violation_error_message="A limit is at least one event; leave it empty for none.",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rate_burst__isnull", True),
                    models.Q(
                        ("rate_burst__gte", 1), ("rate_burst__lte", 100000000), ("rate_limit__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="apikey_burst_needs_rate",
                violation_error_message="A burst needs a rate limit: give both, or neither.",
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("rate_limit__isnull", True),
                        models.Q(("rate_limit__gte", 1), ("rate_limit__lte", 1000000)),
                        _connector="OR",
                    ),
                    models.Q(
                        ("daily_quota__isnull", True),
                        models.Q(("daily_quota__gte", 1), ("daily_quota__lte", 1000000000000)),
                        _connector="OR",
                    ),
                ),
                name="project_limits_in_range",
                violation_error_message="A limit is at least one event; leave it empty for none.",
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rate_burst__isnull", True),
                    models.Q(
                        ("rate_burst__gte", 1), ("rate_burst__lte", 100000000), ("rate_limit__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="project_burst_needs_rate",
                violation_error_message="A burst needs a rate limit: give both, or neither.",
            ),
        ),
    ]
