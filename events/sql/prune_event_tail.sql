WITH old AS (
    DELETE FROM event_tail WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM event_tail WHERE received_at < statement_timestamp() - %(age)s ORDER BY received_at LIMIT %(limit)s
    ))
    RETURNING 1
)
SELECT count(*) FROM old
