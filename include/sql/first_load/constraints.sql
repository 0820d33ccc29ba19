-- Primary keys, unique and check constraints, and foreign keys; NOT NULL is copied with the columns.
SELECT t.relname, c.conname, c.contype::text, pg_get_constraintdef(c.oid),
    CASE WHEN c.contype IN ('p', 'u') THEN i.relname END, target.relname
FROM pg_constraint c
JOIN pg_class t ON t.oid = c.conrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_class i ON i.oid = c.conindid
LEFT JOIN pg_class target ON target.oid = c.confrelid
WHERE n.nspname = %(schema)s AND t.relname = ANY (%(tables)s) AND c.contype IN ('p', 'u', 'c', 'f')
ORDER BY t.relname, c.conname
