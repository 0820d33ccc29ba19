-- How many ids are referred to and in no dump; counted, since the real dumps have some.
SELECT 'placeholders: labels' AS name, true AS passed, count(*) AS value,
    'ids referred to and in no dump' AS detail
FROM labels WHERE placeholder
UNION ALL
SELECT 'placeholders: artists', true, count(*), 'ids referred to and in no dump'
FROM artists WHERE placeholder
UNION ALL
SELECT 'placeholders: masters', true, count(*), 'ids referred to and in no dump'
FROM masters WHERE placeholder
