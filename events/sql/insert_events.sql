-- The way without COPY: for requests that hold an event the database refuses. Answers with what is new.
INSERT INTO event (project_id, time, uid, type, source, subject, partition_key, partition, event_id, attributes, value,
                   data, received_at)
SELECT %(project)s, sent.*, %(received_at)s
FROM unnest(%(times)s::timestamptz[], %(uids)s::uuid[], %(types)s::text[], %(sources)s::text[], %(subjects)s::text[],
            %(keys)s::text[], %(partitions)s::smallint[], %(ids)s::text[], %(attributes)s::jsonb[],
            %(values)s::float8[], %(data)s::jsonb[]) AS sent
ON CONFLICT DO NOTHING
RETURNING uid
