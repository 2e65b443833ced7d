SELECT version_id, pipeline_id, project_id, definition, effective_from, effective_until,
       (SELECT routing_version FROM ingest_epoch)
FROM deployment WHERE finished_at IS NULL
