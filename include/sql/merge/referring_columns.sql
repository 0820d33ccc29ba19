-- All columns with a foreign key to a table, those of users' tables included; the keys that are
-- referred to have one column.
SELECT n.nspname, c.relname, a.attname, k.attname
FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class target ON target.oid = f.confrelid
JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
JOIN pg_attribute k ON k.attrelid = f.confrelid AND k.attnum = f.confkey[1]
WHERE f.contype = 'f'
    AND target.relnamespace = to_regnamespace(quote_ident(%(schema)s))
    AND target.relname = %(table)s
    -- staging tables do not count: the merge of their rows adds the placeholders that they need
    AND n.nspname <> %(staging_schema)s
ORDER BY 1, 2, 3
