-- Every column with a foreign key to a table, whoever owns it; keys of one column are all we have.
SELECT n.nspname, c.relname, a.attname, k.attname
FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
JOIN pg_attribute k ON k.attrelid = f.confrelid AND k.attnum = f.confkey[1]
WHERE f.contype = 'f' AND f.confrelid = format('%%I.%%I', %(schema)s::text, %(table)s::text)::regclass
    -- rows that are waiting to be merged do not count: their own merge makes what they need
    AND n.nspname <> %(schema)s || '_staging'
ORDER BY 1, 2, 3
