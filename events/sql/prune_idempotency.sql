WITH old AS (
    DELETE FROM idempotency WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM idempotency WHERE created_at < statement_timestamp() - %(age)s ORDER BY created_at LIMIT %(limit)s
    ))
    RETURNING 1
)
SELECT count(*) FROM old
