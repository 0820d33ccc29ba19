SELECT tablename, indexname, indexdef
FROM pg_indexes
WHERE schemaname = %(schema)s AND tablename = ANY (%(tables)s)
ORDER BY tablename, indexname
