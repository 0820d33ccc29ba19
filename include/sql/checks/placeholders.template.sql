-- Template: run once for each entity, composed with psycopg.sql; does not run as it is.
-- The number of ids that are referred to and are in no dump. It cannot fail: real dumps have some.
SELECT
    'placeholders: ' || %(entity)s AS name,
    true AS passed,
    count(*) AS value,
    'ids referred to and in no dump' AS detail
FROM {root}
WHERE placeholder
HAVING %(referenced)s
