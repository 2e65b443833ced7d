"""`python -m tests.support.seed SLUG [GLOB SECONDS]`: a project, its keys, a pipeline over a glob; JSON out."""

import json
import sys
from datetime import timedelta

import django

WATERMARK_DELAY = timedelta(seconds=1)


def seed(slug: str, pattern: str, window_seconds: int) -> dict[str, object]:
    django.setup()
    from accounts.services import create_key, create_project  # models need the settings first
    from processing.definitions import Definition
    from processing.models import Pipeline
    from processing.services import deploy_pipeline

    project = create_project(slug=slug, name=slug)
    if pattern:
        definition = Definition(
            types=(pattern,), window_size=timedelta(seconds=window_seconds), watermark_delay=WATERMARK_DELAY
        )
        pipeline = Pipeline.objects.create(project=project, name="by-type")
        deploy_pipeline(pipeline=pipeline, definition=definition)
    ingest = create_key(project=project, scopes=["ingest"], name="load")
    read = create_key(project=project, scopes=["read"], name="watch")
    return {"project_id": project.pk, "slug": slug, "ingest_key": ingest.text, "read_key": read.text}


if __name__ == "__main__":
    name, *pipeline = sys.argv[1:]
    glob, seconds = pipeline or ("", "0")
    print(json.dumps(seed(name, glob, int(seconds))))
