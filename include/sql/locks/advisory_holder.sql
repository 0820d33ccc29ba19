-- The session that holds an advisory lock, and since when it is connected.
SELECT a.pid, a.application_name, a.usename, a.backend_start
FROM pg_locks l
JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.classid::bigint << 32 | l.objid::bigint = %(number)s
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
