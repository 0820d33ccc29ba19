-- The dump has not lost more records than the guard allows, unless an operator allowed it for
-- this run; the value says how many rows the month marked as removed.
SELECT DISTINCT ON (l.entity)
    'removed_within_guard: ' || l.entity AS name,
    %(allow_shrink)s OR p.records IS NULL
        OR l.records >= p.records * (1 - %(max_shrink)s::double precision) AS passed,
    (l.report ->> 'removed')::bigint AS value,
    'records removed' AS detail
FROM entity_loads l
LEFT JOIN LATERAL (
    SELECT records FROM entity_loads p
    WHERE p.entity = l.entity AND p.year_month < l.year_month
    ORDER BY p.year_month DESC, p.generation DESC
    LIMIT 1
) p ON true
WHERE l.year_month = %(month)s
ORDER BY l.entity, l.generation DESC
