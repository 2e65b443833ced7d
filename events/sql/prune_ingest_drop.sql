WITH old AS (
    DELETE FROM ingest_drop WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM ingest_drop WHERE minute < statement_timestamp() - %(age)s ORDER BY minute LIMIT %(limit)s
    ))
    RETURNING 1
)
SELECT count(*) FROM old
