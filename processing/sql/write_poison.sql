INSERT INTO poison_segment (project_id, pipeline_id, version_id, partition, segment_id, flush_id, ordinal,
                            received_at, events, payload, error, attempts)
VALUES (%(project)s, %(pipeline)s, %(version)s, %(partition)s, %(segment)s, %(flush)s, %(ordinal)s,
        %(received_at)s, %(events)s, %(payload)s, %(error)s, %(attempts)s)
