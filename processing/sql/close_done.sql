-- A version that was replaced or paused is finished when nothing of it waits any more.
UPDATE deployment AS version SET
    closed_through = greatest(version.closed_through, %(through)s::timestamptz),
    finished_at = CASE
        WHEN version.effective_until IS NOT NULL
         AND NOT EXISTS (SELECT FROM window_state AS state WHERE state.version_id = version.version_id)
         AND NOT EXISTS (SELECT FROM window_grown AS grown WHERE grown.version_id = version.version_id)
         AND NOT EXISTS (SELECT FROM event_segment AS segment WHERE segment.received_at <= version.effective_until)
        THEN clock_timestamp()
    END
WHERE version.version_id = %(version)s
