"""Rows of deployments: which versions workers fold by. Written under EPOCH only."""

import json
from datetime import datetime
from typing import Any, Final

from django.db.backends.utils import CursorWrapper

from events.partitions import PARTITIONS
from processing.definitions import Definition
from processing.models import PipelineVersion
from processing.queries import query

_ADD: Final = query("add_deployment").decode()


def add(cursor: CursorWrapper, *, version: PipelineVersion, definition: Definition) -> None:
    """Let workers fold by a version, with a watermark row for each partition: silent ones must not be forgotten."""
    values: dict[str, Any] = {
        "version": version.pk,
        "pipeline": version.pipeline_id,
        "project": version.pipeline.project_id,
        "definition": json.dumps(version.definition),
        "delay": definition.watermark_delay,
        "lateness": definition.allowed_lateness,
        "instant": version.effective_from,
        "partitions": PARTITIONS,
    }
    cursor.execute(_ADD, values)


def end(cursor: CursorWrapper, *, pipeline_id: int, instant: datetime) -> None:
    cursor.execute(
        "UPDATE deployment SET effective_until = %s WHERE pipeline_id = %s AND effective_until IS NULL",
        [instant, pipeline_id],
    )


def wanted_types(cursor: CursorWrapper, *, project_id: int) -> list[str]:
    """The globs of every version of a project that counts events from now on."""
    cursor.execute(
        "SELECT DISTINCT jsonb_array_elements_text(definition->'types') FROM deployment"
        " WHERE project_id = %s AND effective_until IS NULL ORDER BY 1",
        [project_id],
    )
    return [pattern for (pattern,) in cursor.fetchall()]
