WITH taken AS (
    DELETE FROM window_grown WHERE version_id = %(version)s AND window_end <= %(through)s
    RETURNING group_key, window_start, window_end
)
SELECT DISTINCT group_key, window_start, window_end FROM taken
