-- Every record that was read is counted once: unchanged, added, changed, restored, the same in
-- other bytes, or rejected. Of the month's loads, the last is checked.
SELECT DISTINCT ON (entity)
    'counts_add_up: ' || entity AS name,
    (report ->> 'read')::bigint = (report ->> 'unchanged')::bigint + (report ->> 'inserted')::bigint
        + (report ->> 'updated')::bigint + (report ->> 'restored')::bigint
        + (report ->> 'same')::bigint + (report ->> 'rejected')::bigint AS passed,
    (report ->> 'read')::bigint AS value,
    'records read' AS detail
FROM entity_loads
WHERE year_month = %(month)s
ORDER BY entity, generation DESC
