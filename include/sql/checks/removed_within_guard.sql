-- The dump has not shrunk by more than the limit, unless this run accepts that. The value is the
-- number of records that the month marked as removed.
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
