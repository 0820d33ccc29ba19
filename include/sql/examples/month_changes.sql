-- The number of changes of a month, by entity and kind of change. A first load writes no changes.
-- psql -v month=2026-10 -f month_changes.sql
SELECT entity, change, count(*) AS records, min(id) AS first_id, max(id) AS last_id
FROM entity_changes
WHERE year_month = :'month'
GROUP BY entity, change
ORDER BY entity, change
