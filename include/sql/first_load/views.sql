-- The views of these tables: schema, name, and the statement that redirects each. Run with
-- search_path = pg_catalog, so that all names in the statements are qualified.
SELECT n.nspname, v.relname,
    format('CREATE OR REPLACE VIEW %%I.%%I %%s AS %%s', n.nspname, v.relname,
        coalesce('WITH (' || array_to_string(v.reloptions, ', ') || ')', ''),
        pg_get_viewdef(v.oid))
FROM pg_class v
JOIN pg_namespace n ON n.oid = v.relnamespace
WHERE v.relkind = 'v' AND v.oid IN (
    SELECT w.ev_class
    FROM pg_depend d
    JOIN pg_rewrite w ON w.oid = d.objid
    JOIN pg_class c ON c.oid = d.refobjid
    JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
        AND s.nspname = %(schema)s AND c.relname = ANY (%(tables)s))
ORDER BY 1, 2
