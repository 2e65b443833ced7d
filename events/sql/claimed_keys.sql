-- Whose each key is: (this flush's, the same request, the recorded answer) by place; nulls where nobody's row is seen.
SELECT known.flush_id = %(flush)s, known.body_hash = sent.body, known.answer
FROM unnest(%(projects)s::integer[], %(keys)s::uuid[], %(bodies)s::bytea[]) WITH ORDINALITY
    AS sent (project_id, key, body, place)
LEFT JOIN idempotency known ON known.project_id = sent.project_id AND known.key_hash = sent.key
ORDER BY sent.place
