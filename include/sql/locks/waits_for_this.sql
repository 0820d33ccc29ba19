-- Sessions that hold locks on these tables and wait for a lock that this session holds.
SELECT l.pid
FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.granted AND l.pid <> pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND n.nspname = %(schema)s AND c.relname = ANY (%(tables)s)
    AND pg_backend_pid() = ANY (pg_blocking_pids(l.pid))
LIMIT 1
