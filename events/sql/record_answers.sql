UPDATE idempotency AS known
SET status = given.status, accepted = given.accepted, duplicates = given.duplicates, rejected = given.rejected,
    answer = given.answer
FROM unnest(%(projects)s::integer[], %(keys)s::uuid[], %(statuses)s::smallint[], %(accepted)s::integer[],
            %(duplicates)s::integer[], %(rejected)s::integer[], %(answers)s::bytea[])
    AS given (project_id, key, status, accepted, duplicates, rejected, answer)
WHERE known.project_id = given.project_id AND known.key_hash = given.key
