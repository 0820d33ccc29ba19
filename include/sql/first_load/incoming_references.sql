-- Foreign keys of other entities' tables to these tables.
SELECT t.relname, c.conname, pg_get_constraintdef(c.oid)
FROM pg_constraint c
JOIN pg_class t ON t.oid = c.conrelid
JOIN pg_class target ON target.oid = c.confrelid
JOIN pg_namespace n ON n.oid = target.relnamespace
WHERE c.contype = 'f' AND n.nspname = %(schema)s AND target.relname = ANY (%(tables)s)
    AND NOT (t.relnamespace = n.oid AND t.relname = ANY (%(tables)s))
ORDER BY t.relname, c.conname
