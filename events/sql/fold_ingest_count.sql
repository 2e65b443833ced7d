-- Seconds become hours under the nil process: the sums stay what they were, so counts can be held against events
-- for ever, by project, type and hour of receipt. One statement, so no reader sees an event twice or not at all.
WITH old AS (
    DELETE FROM ingest_count WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM ingest_count
        WHERE process <> '00000000-0000-0000-0000-000000000000'
          AND second < date_trunc('hour', statement_timestamp() - %(age)s)
        ORDER BY second LIMIT %(limit)s
    ))
    RETURNING project_id, second, type, accepted, duplicate, rejected
),
folded AS (
    INSERT INTO ingest_count AS known (project_id, second, type, process, accepted, duplicate, rejected)
    SELECT project_id, date_trunc('hour', second), type, '00000000-0000-0000-0000-000000000000',
           sum(accepted), sum(duplicate), sum(rejected)
    FROM old GROUP BY project_id, date_trunc('hour', second), type
    ON CONFLICT (project_id, second, type, process) DO UPDATE SET
        accepted = known.accepted + excluded.accepted,
        duplicate = known.duplicate + excluded.duplicate,
        rejected = known.rejected + excluded.rejected
)
SELECT count(*) FROM old
