-- Template: composed with psycopg.sql; does not run as it is.
-- A staging table has the columns of its live table and no keys: they come after the rows.
CREATE {persistence} TABLE {staged} (
    LIKE {live} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION
    INCLUDING IDENTITY INCLUDING COMMENTS
) WITH (autovacuum_enabled = false)
