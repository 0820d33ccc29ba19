-- Template: run once for each entity, composed with psycopg.sql; does not run as it is.
-- How many ids are referred to and in no dump; counted, since the real dumps have some.
SELECT
    'placeholders: ' || %(entity)s AS name,
    true AS passed,
    count(*) AS value,
    'ids referred to and in no dump' AS detail
FROM {root}
WHERE placeholder
HAVING %(referenced)s
