-- Whether anything of a user's hangs on these tables and would be lost with them.
WITH ours AS (
    SELECT c.oid
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s)
)
SELECT
    -- functions with a body that names the tables, policies, publications
    EXISTS (
        SELECT FROM pg_depend d
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM ours)
            AND d.classid IN ('pg_proc'::regclass, 'pg_policy'::regclass,
                              'pg_publication_rel'::regclass)
    )
    -- rules and materialized views, and views of somebody else; the loader's own views are
    -- redirected to the new tables
    OR EXISTS (
        SELECT FROM pg_depend d
        JOIN pg_rewrite w ON w.oid = d.objid
        JOIN pg_class v ON v.oid = w.ev_class
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
            AND d.refobjid IN (SELECT oid FROM ours)
            AND NOT (v.relkind = 'v' AND pg_has_role(v.relowner, 'USAGE'))
    )
    -- foreign keys from tables outside the schema, or from tables that are not the package's
    OR EXISTS (
        SELECT FROM pg_constraint f
        JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE f.contype = 'f' AND f.confrelid IN (SELECT oid FROM ours)
            AND NOT (n.nspname = %(schema)s AND c.relname = ANY (%(own_tables)s))
    )
    OR EXISTS (
        SELECT FROM pg_trigger t WHERE t.tgrelid IN (SELECT oid FROM ours) AND NOT t.tgisinternal
    )
    -- children and parents by inheritance, or by partition
    OR EXISTS (
        SELECT FROM pg_inherits i
        WHERE i.inhrelid IN (SELECT oid FROM ours) OR i.inhparent IN (SELECT oid FROM ours)
    )
    OR EXISTS (SELECT FROM pg_class c WHERE c.oid IN (SELECT oid FROM ours) AND c.relrowsecurity)
    -- the tables belong to somebody else, who would lose them
    OR EXISTS (
        SELECT FROM pg_class c
        WHERE c.oid IN (SELECT oid FROM ours)
            AND c.relowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
    )
