import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    """How long a project keeps its refused events."""

    dependencies = [("accounts", "0004_limits")]

    operations = [
        migrations.AddField(
            model_name="project",
            name="rejected_retention_days",
            field=models.PositiveIntegerField(
                default=30,
                help_text="Refused events are removed from the quarantine after this.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(36500),
                ],
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.CheckConstraint(
                condition=models.Q(rejected_retention_days__gte=1, rejected_retention_days__lte=36500),
                name="project_rejected_retention_days_in_range",
                violation_error_message=(
                    "Keep refused events for at least one day, and at most a hundred years."
                ),
            ),
        ),
    ]
