"""What people do with pipelines: deploy, pause, resume. What workers do: see draining, closing and sweeping."""

from datetime import datetime, timedelta
from typing import Final

import stamina
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from django.db.models import Max

from accounts.models import Project
from events.epoch import epoch_exclusive, replace_routes
from processing import deployments
from processing.closing import close_windows
from processing.definitions import Definition, definition_of
from processing.draining import drain_partitions
from processing.errors import InvalidDefinition
from processing.models import Pipeline, PipelineVersion
from processing.sweeping import sweep

__all__ = [
    "close_windows",
    "deploy_pipeline",
    "drain_partitions",
    "ensure_default_pipelines",
    "pause_pipeline",
    "resume_pipeline",
    "sweep",
]

DEFAULT_PIPELINES: Final = {
    "events-by-type-10s": Definition(types=("*",), window_size=timedelta(seconds=10)),
    "events-by-type-1m": Definition(types=("*",), window_size=timedelta(minutes=1)),
}
# Flushes that do not let go of EPOCH in time: see events.epoch.
_retry_epoch = stamina.retry(on=OperationalError, attempts=5, timeout=15.0, wait_initial=0.05)


@_retry_epoch
def deploy_pipeline(*, pipeline: Pipeline, definition: Definition, using: str = "default") -> PipelineVersion:
    """Make `definition` the pipeline's new version, live for events received from this instant on.

    The version before counts events up to the same instant, and closes its windows as its watermark passes them.
    Raises django.db.OperationalError when ingest cannot be held for the instant it takes.
    """
    with epoch_exclusive(using=using) as (cursor, instant):
        Pipeline.objects.select_for_update().get(pk=pipeline.pk)
        _retire(cursor, pipeline, instant)
        version = PipelineVersion.objects.create(
            pipeline=pipeline,
            number=(pipeline.versions.aggregate(last=Max("number"))["last"] or 0) + 1,
            definition=definition.as_json(),
            state=PipelineVersion.State.LIVE,
            effective_from=instant,
        )
        deployments.add(cursor, version=version, definition=definition)
        _set_routes(cursor, pipeline)
        pipeline.enabled, pipeline.current_version = True, version
        pipeline.save(update_fields=["enabled", "current_version"])
    return version


@_retry_epoch
def pause_pipeline(*, pipeline: Pipeline, using: str = "default") -> datetime:
    """Stop counting events received from this instant on. Windows that are open close as usual. Returns the instant."""
    with epoch_exclusive(using=using) as (cursor, instant):
        Pipeline.objects.select_for_update().get(pk=pipeline.pk)
        _retire(cursor, pipeline, instant)
        _set_routes(cursor, pipeline)
        pipeline.enabled = False
        pipeline.save(update_fields=["enabled"])
    return instant


def resume_pipeline(*, pipeline: Pipeline, using: str = "default") -> PipelineVersion:
    """Deploy the current definition again, as a new version: what was paused is not counted, and results show it.

    Raises InvalidDefinition when the pipeline was never deployed.
    """
    if pipeline.current_version is None:
        raise InvalidDefinition(f"{pipeline} has no version to resume: deploy it first.")
    definition = definition_of(pipeline.current_version.definition)
    return deploy_pipeline(pipeline=pipeline, definition=definition, using=using)


def ensure_default_pipelines(*, project: Project, using: str = "default") -> list[Pipeline]:
    """The pipelines a project starts with: events by type, every 10 seconds and every minute. Safe to repeat.

    A pipeline that was deployed before is left as it is, also when it is paused.
    """
    found = []
    for name, definition in DEFAULT_PIPELINES.items():
        pipeline, _ = Pipeline.objects.get_or_create(project=project, name=name)
        if pipeline.current_version is None:
            deploy_pipeline(pipeline=pipeline, definition=definition, using=using)
        found.append(pipeline)
    return found


def _retire(cursor: CursorWrapper, pipeline: Pipeline, instant: datetime) -> None:
    deployments.end(cursor, pipeline_id=pipeline.pk, instant=instant)
    live = pipeline.versions.filter(state=PipelineVersion.State.LIVE)
    live.update(state=PipelineVersion.State.RETIRED, effective_until=instant)


def _set_routes(cursor: CursorWrapper, pipeline: Pipeline) -> None:
    wanted = deployments.wanted_types(cursor, project_id=pipeline.project_id)
    replace_routes(cursor, project_id=pipeline.project_id, patterns=wanted)
