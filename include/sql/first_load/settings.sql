-- Settings of the live tables, as statements that set them on the tables that are swapped in.
-- Comments on columns, storage and compression are copied with the columns.
WITH live AS (
    SELECT c.*, c.oid::regclass::text AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s)
),
columns AS (
    SELECT live.name AS table_name, live.relowner, a.*
    FROM live JOIN pg_attribute a ON a.attrelid = live.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped
),
indexes AS (
    SELECT live.name AS table_name, x.*, x.indexrelid::regclass::text AS name
    FROM live JOIN pg_index x ON x.indrelid = live.oid
),
grants AS (
    SELECT name, relowner, '' AS columns, relacl AS acl FROM live
    UNION ALL
    SELECT table_name, relowner, ' (' || quote_ident(attname) || ')', attacl FROM columns
),
options AS (
    SELECT live.name, o.option_name, o.option_value
    FROM live CROSS JOIN LATERAL pg_options_to_table(live.reloptions) o
    UNION ALL
    SELECT live.name, 'toast.' || o.option_name, o.option_value
    FROM live
    JOIN pg_class t ON t.oid = live.reltoastrelid
    CROSS JOIN LATERAL pg_options_to_table(t.reloptions) o
)
SELECT 'GRANT ' || a.privilege_type || g.columns || ' ON ' || g.name || ' TO '
    || CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
    || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
FROM grants g CROSS JOIN LATERAL aclexplode(g.acl) a
WHERE a.grantee <> g.relowner
UNION ALL
SELECT 'COMMENT ON TABLE ' || name || ' IS ' || quote_literal(obj_description(oid, 'pg_class'))
FROM live WHERE obj_description(oid, 'pg_class') IS NOT NULL
UNION ALL
SELECT 'COMMENT ON INDEX ' || name || ' IS ' || quote_literal(obj_description(indexrelid, 'pg_class'))
FROM indexes WHERE obj_description(indexrelid, 'pg_class') IS NOT NULL
UNION ALL
SELECT 'COMMENT ON CONSTRAINT ' || quote_ident(c.conname) || ' ON ' || live.name || ' IS '
    || quote_literal(obj_description(c.oid, 'pg_constraint'))
FROM live JOIN pg_constraint c ON c.conrelid = live.oid
WHERE c.contype <> 'n' AND obj_description(c.oid, 'pg_constraint') IS NOT NULL
UNION ALL
SELECT 'ALTER TABLE ' || name || ' SET ('
    || string_agg(option_name || ' = ' || quote_literal(option_value), ', ') || ')'
FROM options GROUP BY name
UNION ALL
SELECT 'ALTER TABLE ' || table_name || ' ALTER COLUMN ' || quote_ident(attname)
    || ' SET STATISTICS ' || attstattarget
FROM columns WHERE attstattarget >= 0
UNION ALL
SELECT 'ALTER INDEX ' || i.name || ' ALTER COLUMN ' || a.attnum || ' SET STATISTICS ' || a.attstattarget
FROM indexes i JOIN pg_attribute a ON a.attrelid = i.indexrelid
WHERE a.attstattarget >= 0
UNION ALL
SELECT 'ALTER TABLE ' || c.table_name || ' ALTER COLUMN ' || quote_ident(c.attname) || ' SET ('
    || string_agg(o.option_name || ' = ' || quote_literal(o.option_value), ', ') || ')'
FROM columns c CROSS JOIN LATERAL pg_options_to_table(c.attoptions) o
-- pg_…: set by the server alone (pg_attver, in the minor releases of November 2026).
WHERE o.option_name NOT LIKE 'pg!_%%' ESCAPE '!'
GROUP BY c.table_name, c.attname
UNION ALL
SELECT 'ALTER TABLE ' || name || ' REPLICA IDENTITY '
    || CASE relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END
FROM live WHERE relreplident IN ('f', 'n')
UNION ALL
SELECT 'ALTER TABLE ' || table_name || ' REPLICA IDENTITY USING INDEX ' || name
FROM indexes WHERE indisreplident
UNION ALL
SELECT 'ALTER TABLE ' || table_name || ' CLUSTER ON ' || name
FROM indexes WHERE indisclustered
