-- The reasons, as text, why a first load cannot swap its tables in: objects that depend on the live
-- tables and would be lost with them, and settings of how their rows are stored. If there are none,
-- the tables can be swapped.
WITH own AS (
    SELECT c.*
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = ANY (%(own_tables)s)
),
live AS (
    SELECT * FROM own WHERE relname = ANY (%(tables)s)
),
-- everything that depends on the tables or on their row types
dependents AS (
    SELECT d.classid, d.objid, d.objsubid
    FROM pg_depend d
    JOIN live l ON d.refclassid = 'pg_class'::regclass AND d.refobjid = l.oid
        OR d.refclassid = 'pg_type'::regclass
            AND d.refobjid IN (l.reltype, (SELECT typarray FROM pg_type WHERE oid = l.reltype))
),
-- the dependents that a swap builds again: keys and checks, indexes, defaults, and the row types
rebuilt AS (
    SELECT 'pg_constraint'::regclass AS classid, oid
    FROM pg_constraint
    WHERE contype IN ('p', 'u', 'c', 'f', 'n') AND NOT condeferrable
        AND conrelid IN (SELECT oid FROM own) AND (confrelid = 0 OR confrelid IN (SELECT oid FROM own))
    UNION ALL
    SELECT 'pg_class'::regclass, oid FROM pg_class WHERE relkind IN ('i', 't')
    UNION ALL
    SELECT 'pg_attrdef'::regclass, oid FROM pg_attrdef
    UNION ALL
    SELECT 'pg_type'::regclass, unnest(ARRAY[t.oid, t.typarray])
    FROM pg_type t JOIN live l ON t.oid = l.reltype
    UNION ALL
    -- views that this role may replace are redirected to the new tables
    SELECT 'pg_rewrite'::regclass, w.oid
    FROM pg_rewrite w JOIN pg_class v ON v.oid = w.ev_class
    WHERE v.relkind = 'v' AND pg_has_role(v.relowner, 'USAGE')
    UNION ALL
    -- publications are listed below
    SELECT 'pg_publication_rel'::regclass, oid FROM pg_publication_rel
)
SELECT DISTINCT pg_describe_object(classid, objid, objsubid)
FROM dependents d
WHERE NOT EXISTS (SELECT FROM rebuilt r WHERE r.classid = d.classid AND r.oid = d.objid)
UNION
-- subscribers receive rows that are written to the live tables, but not tables that are swapped in
SELECT 'publication ' || p.pubname
FROM pg_publication_tables p
WHERE p.schemaname = %(schema)s AND p.tablename = ANY (%(tables)s)
UNION
SELECT reason || ' of table ' || relname
FROM live
CROSS JOIN LATERAL (
    VALUES
        ('row-level security', relrowsecurity OR relforcerowsecurity),
        ('owner ' || pg_get_userbyid(relowner), pg_get_userbyid(relowner) <> current_user),
        ('parent', EXISTS (SELECT FROM pg_inherits WHERE inhrelid = live.oid)),
        ('type', reloftype <> 0),
        ('security label', EXISTS (
            SELECT FROM pg_seclabel WHERE classoid = 'pg_class'::regclass AND objoid = live.oid
        )),
        ('being unlogged', relpersistence <> 'p'),
        ('access method', relam <> (
            SELECT oid FROM pg_am WHERE amname = current_setting('default_table_access_method')
        )),
        ('tablespace', reltablespace <> 0 OR EXISTS (
            SELECT FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
            WHERE x.indrelid = live.oid AND i.reltablespace <> 0
        )),
        ('fillfactor or toast_tuple_target', EXISTS (
            SELECT FROM unnest(reloptions) o
            WHERE split_part(o, '=', 1) IN ('fillfactor', 'toast_tuple_target')
        ))
) AS has (reason, holds)
WHERE holds
ORDER BY 1
