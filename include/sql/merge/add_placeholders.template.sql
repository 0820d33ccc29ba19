-- Template: composed with psycopg.sql; does not run as it is.
-- An id that is referred to and that neither the target has nor this load brings.
INSERT INTO {target} (id, placeholder, dump_month)
SELECT r.id, true, NULL
FROM {referenced} r
WHERE r.kind = {kind} AND {missing}
ON CONFLICT (id) DO NOTHING
