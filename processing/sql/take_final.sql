-- State that no event can change. No drain touches these rows: for its partition they are late, because the
-- partition's watermark is at least the least one, and a drain judges by the watermark that it finds under its lock.
WITH gone AS (
    DELETE FROM window_state WHERE version_id = %(version)s AND window_end <= %(final)s
    RETURNING group_key, window_start, window_end
)
SELECT DISTINCT group_key, window_start, window_end FROM gone
