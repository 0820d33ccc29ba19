-- Every record that was read is counted once: unchanged, added, changed, restored, the same in
-- other bytes, rejected, or left out by the filter. Of the month's loads, the last is checked.
SELECT DISTINCT ON (entity)
    'counts_add_up: ' || entity AS name,
    (report ->> 'read')::bigint = (report ->> 'unchanged')::bigint + (report ->> 'inserted')::bigint
        + (report ->> 'updated')::bigint + (report ->> 'restored')::bigint
        + (report ->> 'same')::bigint + (report ->> 'rejected')::bigint
        + coalesce((report ->> 'filtered')::bigint, 0) AS passed,
    (report ->> 'read')::bigint AS value,
    'records read' AS detail
FROM entity_loads
WHERE year_month = %(month)s
ORDER BY entity, generation DESC
