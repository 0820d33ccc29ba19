-- Every record that was read is counted once: as unchanged, added, changed, restored, same (other
-- bytes, but the same rows), rejected, or left out by the filter. The month's last load is checked.
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
