-- Transactions of this database that have a snapshot: virtual transaction id, and session. A role
-- without pg_read_all_stats does not see the snapshots of other users' sessions; these are returned
-- as if they had one.
SELECT l.virtualtransaction, a.pid, a.application_name, a.usename
FROM pg_locks l
JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted
    AND a.datname = current_database() AND a.usesysid IS NOT NULL AND a.pid <> pg_backend_pid()
    AND (a.backend_xmin IS NOT NULL OR a.state IS NULL)
ORDER BY a.xact_start NULLS LAST
