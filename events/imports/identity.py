"""As whom an import sends: its key, with the reach of the scope backfill, under the project's present policy."""

from accounts.identity import KeyIdentity
from accounts.models import PolicyVersion, Project
from events.imports.errors import ImportFailed


def import_identity(*, project_id: int, key_id: int | None) -> KeyIdentity:
    """Past the live limit, never past the raw retention, and into no pipeline. Raises ImportFailed (project_gone)."""
    project = Project.objects.filter(pk=project_id).first()
    if project is None:
        raise ImportFailed("project_gone", "The project of this import was deleted.")
    version = PolicyVersion.objects.filter(project_id=project_id).values_list("version", flat=True).first()
    return KeyIdentity(
        key_id=key_id or 0,
        prefix="import",
        project_id=project_id,
        project_slug=project.slug,
        scopes=frozenset({"ingest", "backfill"}),
        expires_at=None,
        raw_retention_days=project.raw_retention_days,
        live_limit_days=project.live_limit_days,
        policy_version=version or 0,
    )
