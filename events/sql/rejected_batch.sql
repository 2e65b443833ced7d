-- The oldest that wait and that this bulk has not tried: within a number of rows and of bytes, and always one.
SELECT id, received_at, key_id, state, text
FROM (
    SELECT id, received_at, key_id, state, COALESCE(corrected, raw) AS text,
           row_number() OVER (ORDER BY received_at, id) AS place,
           sum(octet_length(COALESCE(corrected, raw))) OVER (ORDER BY received_at, id) AS bytes
    FROM (
        SELECT * FROM rejected_event
        WHERE {matching}
          AND bulk IS DISTINCT FROM %(own)s::uuid
          AND (%(reached)s::timestamptz IS NULL OR received_at >= %(reached)s)
        ORDER BY received_at, id
        LIMIT %(limit)s
    ) AS oldest
) AS measured
WHERE place = 1 OR bytes <= %(bytes)s
ORDER BY received_at, id
