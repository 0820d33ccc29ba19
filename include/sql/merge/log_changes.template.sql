-- Template: composed with psycopg.sql; does not run as it is.
-- The month's change feed, without records whose bytes differ but whose rows are the same. When a
-- month is loaded again, the old values from before its first load are kept.
WITH differing AS (
    SELECT id, array_agg(table_name ORDER BY table_name) AS tables,
        jsonb_object_agg(table_name, old) FILTER (WHERE old IS NOT NULL) AS old
    FROM merge_differences GROUP BY id
), named AS (
    SELECT id, array_agg(name ORDER BY name) AS columns
    FROM merge_differences CROSS JOIN LATERAL unnest(columns) AS name
    GROUP BY id
)
INSERT INTO {feed} AS f (year_month, entity, id, change, tables, columns, old_values)
SELECT %(month)s, %(entity)s, id, change, tables, columns, differing.old
FROM merge_changes
LEFT JOIN differing USING (id)
LEFT JOIN named USING (id)
WHERE change <> 'changed' OR tables IS NOT NULL
ON CONFLICT (year_month, entity, id) DO UPDATE SET
    change = excluded.change,
    -- array_agg of no rows is NULL
    tables = (SELECT array_agg(t ORDER BY t)
              FROM (SELECT unnest(f.tables) UNION SELECT unnest(excluded.tables)) AS u (t)),
    columns = (SELECT array_agg(c ORDER BY c)
               FROM (SELECT unnest(f.columns) UNION SELECT unnest(excluded.columns)) AS u (c)),
    old_values = coalesce(excluded.old_values || f.old_values, excluded.old_values, f.old_values)
