-- No row refers to a missing one if all foreign keys exist and are validated. Users may have added
-- foreign keys.
SELECT
    'foreign_keys_validated' AS name,
    count(*) FILTER (WHERE convalidated) >= %(foreign_keys)s AS passed,
    count(*) FILTER (WHERE convalidated) AS value,
    'validated foreign keys, of ' || %(foreign_keys)s AS detail
FROM pg_constraint c
JOIN pg_class t ON t.oid = c.conrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE c.contype = 'f' AND n.nspname = %(schema)s AND t.relname = ANY (%(tables)s)
