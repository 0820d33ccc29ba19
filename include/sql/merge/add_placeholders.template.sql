-- Template: composed with psycopg.sql; does not run as it is.
-- An id that is referred to and that neither the target has nor this load brings.
INSERT INTO {target} (id, placeholder, dump_month)
SELECT DISTINCT s.{column}, true, NULL
FROM {staged} s
WHERE s.{column} IS NOT NULL
    AND NOT EXISTS (SELECT FROM {target} t WHERE t.id = s.{column})
    AND NOT EXISTS (SELECT FROM {arriving} a WHERE a.id = s.{column})
ON CONFLICT (id) DO NOTHING
