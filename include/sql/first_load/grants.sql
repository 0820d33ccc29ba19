-- The privileges that were granted on the tables, as statements to grant them again.
SELECT format(
    'GRANT %%s ON %%I.%%I TO %%s%%s', a.privilege_type, n.nspname, c.relname,
    CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
    CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s) AND a.grantee <> c.relowner
