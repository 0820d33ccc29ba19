-- The sessions that hold locks on these tables, the oldest transaction first.
SELECT a.pid, a.application_name, a.usename, string_agg(DISTINCT c.relname, ', ')
FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_stat_activity a USING (pid)
WHERE l.granted AND l.pid <> pg_backend_pid() AND a.datname = current_database()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND n.nspname = %(schema)s AND c.relname = ANY (%(tables)s)
GROUP BY a.pid, a.application_name, a.usename, a.xact_start
ORDER BY a.xact_start NULLS LAST
