"""Pipelines and their versions: what people define. What workers run of them is the `deployment` table."""

from django.core.validators import RegexValidator
from django.db import models


class Pipeline(models.Model):
    """A named computation over a project's events; its versions say what it computes."""

    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="pipelines")
    name = models.CharField(
        max_length=100,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9._-]*$", "Use lower-case letters, digits, . _ and -.")],
    )
    enabled = models.BooleanField(default=False, editable=False, help_text="Deployed, and not paused.")
    current_version = models.ForeignKey(
        "PipelineVersion", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["project", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                name="pipeline_name_once_per_project",
                violation_error_message="The project has a pipeline of this name: choose another.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PipelineVersion(models.Model):
    """One definition of a pipeline, and when it counted. Never changed once it was live."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        LIVE = "live", "Live"
        RETIRED = "retired", "Retired"

    pipeline = models.ForeignKey(Pipeline, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    effective_from = models.DateTimeField(null=True, blank=True)
    effective_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pipeline", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["pipeline", "number"], name="pipeline_version_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.pipeline} version {self.number}"
