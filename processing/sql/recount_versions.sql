SELECT version.version_id, known.number, ARRAY(SELECT jsonb_array_elements_text(version.definition->'types')),
       version.definition->'window'->>'size'
FROM deployment AS version
JOIN processing_pipelineversion AS known ON known.id = version.version_id
WHERE version.pipeline_id = %(pipeline)s
ORDER BY known.number
