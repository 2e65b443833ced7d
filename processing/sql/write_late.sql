INSERT INTO late_event (project_id, pipeline_id, version_id, partition, group_key, window_start, window_end, watermark,
                        uid, time, received_at, type, source, subject, partition_key, value, data)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::text::jsonb)
