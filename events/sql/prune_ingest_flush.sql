WITH old AS (
    DELETE FROM ingest_flush WHERE id = ANY(ARRAY(
        SELECT id FROM ingest_flush WHERE committed_at < statement_timestamp() - %(age)s ORDER BY committed_at LIMIT %(limit)s
    ))
    RETURNING 1
)
SELECT count(*) FROM old
