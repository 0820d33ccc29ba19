-- After the newest month, the live rows are the dump's records. A rejected record may have a
-- row of an earlier month, which stays.
WITH live (entity, rows) AS (
    SELECT 'labels', count(*) FROM labels WHERE removed_in IS NULL AND NOT placeholder
    UNION ALL
    SELECT 'artists', count(*) FROM artists WHERE removed_in IS NULL AND NOT placeholder
    UNION ALL
    SELECT 'masters', count(*) FROM masters WHERE removed_in IS NULL AND NOT placeholder
    UNION ALL
    SELECT 'releases', count(*) FROM releases WHERE removed_in IS NULL AND NOT placeholder
)
SELECT
    'live_records: ' || entity AS name,
    live.rows BETWEEN l.records - (l.report ->> 'rejected')::bigint AND l.records AS passed,
    live.rows AS value,
    'live rows, for ' || l.records || ' records in the dump' AS detail
FROM entity_loads l
JOIN live USING (entity)
WHERE l.year_month = %(month)s
    AND NOT EXISTS (
        SELECT FROM entity_loads n WHERE n.entity = l.entity AND n.year_month > l.year_month
    )
ORDER BY entity
