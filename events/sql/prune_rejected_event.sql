WITH old AS (
    DELETE FROM rejected_event WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM rejected_event WHERE received_at < statement_timestamp() - %(age)s ORDER BY received_at LIMIT %(limit)s
    ))
    RETURNING 1
)
SELECT count(*) FROM old
