INSERT INTO rejected_event
    (id, project_id, received_at, request_id, key_id, position, type, code, pointer, message, raw)
SELECT id, project_id, %(received_at)s, request_id, key_id, position, type, code, pointer, message, raw
FROM unnest(%(ids)s::uuid[], %(projects)s::integer[], %(requests)s::text[], %(keys)s::bigint[], %(positions)s::integer[],
            %(types)s::text[], %(codes)s::text[], %(pointers)s::text[], %(messages)s::text[], %(raws)s::bytea[])
    AS refused (id, project_id, request_id, key_id, position, type, code, pointer, message, raw)
