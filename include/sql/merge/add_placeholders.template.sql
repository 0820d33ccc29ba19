-- Template: composed with psycopg.sql; does not run as it is.
-- A placeholder for each id that staged rows refer to and that is neither stored nor staged.
INSERT INTO {target} (id, placeholder, dump_month)
SELECT r.id, true, NULL
FROM {referenced} r
WHERE r.kind = {kind} AND {missing}
ON CONFLICT (id) DO NOTHING
