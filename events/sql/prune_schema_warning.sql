WITH old AS (
    DELETE FROM schema_warning WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM schema_warning WHERE minute < statement_timestamp() - %(age)s ORDER BY minute LIMIT %(limit)s
    ))
    RETURNING 1
)
SELECT count(*) FROM old
