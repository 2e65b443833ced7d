WITH old AS (
    DELETE FROM rejected_bulk WHERE id = ANY(ARRAY(
        SELECT id FROM rejected_bulk WHERE created_at < statement_timestamp() - %(age)s ORDER BY created_at LIMIT %(limit)s
    ))
    RETURNING 1
)
SELECT count(*) FROM old
