INSERT INTO import_rejection (job_id, line, code, pointer, message, raw)
SELECT %(id)s, line, code, pointer, message, raw
FROM unnest(%(lines)s::bigint[], %(codes)s::text[], %(pointers)s::text[], %(messages)s::text[], %(raws)s::bytea[])
    AS refused (line, code, pointer, message, raw)
