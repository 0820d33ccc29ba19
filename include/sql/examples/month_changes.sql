-- What a month changed, by entity and kind; nothing after a first load, which is no change.
SELECT entity, change, count(*) AS records, min(id) AS first_id, max(id) AS last_id
FROM entity_changes
WHERE year_month = %(month)s
GROUP BY entity, change
ORDER BY entity, change
