-- The tables' own comments; those of columns come with the columns.
SELECT format('COMMENT ON TABLE %%I.%%I IS %%L', n.nspname, c.relname, d.description)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s)
