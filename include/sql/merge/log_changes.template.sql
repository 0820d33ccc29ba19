-- Template: composed with psycopg.sql; does not run as it is.
-- The month's change feed. A record whose bytes differ and whose rows do not has not changed.
INSERT INTO {feed} (year_month, entity, id, change)
SELECT %(month)s, %(entity)s, id, change FROM merge_changes WHERE change <> 'changed' OR differs
ON CONFLICT (year_month, entity, id) DO UPDATE SET change = excluded.change
