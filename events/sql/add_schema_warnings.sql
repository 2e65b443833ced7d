INSERT INTO schema_warning AS known (project_id, type, minute, events, pointer, message)
SELECT project_id, type, minute, events, pointer, message
FROM unnest(%(projects)s::integer[], %(types)s::text[], %(minutes)s::timestamptz[], %(events)s::bigint[],
            %(pointers)s::text[], %(messages)s::text[])
    AS counted (project_id, type, minute, events, pointer, message)
ON CONFLICT (project_id, type, minute) DO UPDATE SET
    events = known.events + excluded.events,
    pointer = excluded.pointer,
    message = excluded.message
