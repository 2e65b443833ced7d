WITH deployed AS (
    INSERT INTO deployment (version_id, pipeline_id, project_id, definition, watermark_delay, allowed_lateness, effective_from)
    VALUES (%(version)s, %(pipeline)s, %(project)s, %(definition)s, %(delay)s, %(lateness)s, %(instant)s)
    RETURNING version_id, effective_from
)
INSERT INTO watermark (version_id, partition, event_at)
SELECT version_id, generate_series(0, %(partitions)s - 1), effective_from FROM deployed
