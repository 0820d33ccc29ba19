-- Template: composed with psycopg.sql; does not run as it is.
-- A staging table has the columns of its live table, but no keys: a first load builds them later.
CREATE {persistence} TABLE {staged} (
    LIKE {live} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION
    INCLUDING IDENTITY INCLUDING COMMENTS
) WITH (autovacuum_enabled = false)
