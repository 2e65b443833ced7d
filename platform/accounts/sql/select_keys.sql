SELECT key.prefix, key.digest, key.id, key.project_id, project.slug, key.scopes, key.expires_at,
       project.raw_retention_days, project.live_limit_days, COALESCE(policy.version, 0),
       key.revoked_at IS NOT NULL AS revoked,
       -- Seconds by the database's clock: the process's own may be wrong.
       extract(epoch FROM key.expires_at - clock_timestamp())::float8 AS seconds_left,
       key.rate_limit, key.rate_burst, key.daily_quota, key.allowed_types, key.allowed_addresses,
       project.rate_limit, project.rate_burst, project.daily_quota
FROM accounts_apikey AS key
JOIN accounts_project AS project ON project.id = key.project_id
LEFT JOIN accounts_policyversion AS policy ON policy.project_id = project.id
WHERE key.prefix = ANY(%(prefixes)s)
