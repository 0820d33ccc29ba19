-- Constraints and indexes of staging tables, in an order in which they can be dropped: foreign keys
-- first. Indexes that back a constraint are left out, since they are dropped with it.
SELECT kind, relname, conname
FROM (
    SELECT 'constraint' AS kind, t.relname, c.conname, c.contype <> 'f' AS later
    FROM pg_constraint c
    JOIN pg_class t ON t.oid = c.conrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname = %(schema)s AND t.relname = ANY (%(tables)s) AND c.contype IN ('f', 'p', 'u', 'c')
    UNION ALL
    SELECT 'index', t.relname, i.relname, true
    FROM pg_index x
    JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_class t ON t.oid = x.indrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname = %(schema)s AND t.relname = ANY (%(tables)s)
        AND NOT EXISTS (
            SELECT FROM pg_constraint c WHERE c.conindid = i.oid AND c.contype IN ('p', 'u')
        )
) keys
ORDER BY kind, later, conname
