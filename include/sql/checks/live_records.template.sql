-- Template: run once for each entity, composed with psycopg.sql; does not run as it is.
-- After the newest month, the live rows are the dump's records. The row of a rejected record, from an
-- earlier month, stays live. When rejected records have no id, rows absent from the dump stay too.
SELECT
    'live_records: ' || l.entity AS name,
    live.rows BETWEEN wanted.records - (l.report ->> 'rejected')::bigint
        AND wanted.records + coalesce((l.report ->> 'removals_held')::bigint, 0) AS passed,
    live.rows AS value,
    'live rows, for ' || wanted.records || ' records in the dump'
        || CASE WHEN wanted.records < l.records THEN ' that the filter keeps' ELSE '' END AS detail
FROM entity_loads l
CROSS JOIN LATERAL (
    SELECT count(*) AS rows FROM {root} WHERE removed_in IS NULL AND NOT placeholder
) live
CROSS JOIN LATERAL (
    SELECT l.records - coalesce((l.report ->> 'filtered')::bigint, 0) AS records
) wanted
WHERE l.entity = %(entity)s AND l.year_month = %(month)s
    AND NOT EXISTS (
        SELECT FROM entity_loads n
        WHERE n.entity = l.entity
            AND (n.year_month, n.generation) > (l.year_month, l.generation)
    )
