-- Rows that a changed record had and has no more.
WITH gone AS (
    DELETE FROM {live} l
    USING {staged_root} r
    WHERE l.{parent} = r.id
        AND NOT EXISTS (SELECT FROM {staged} s WHERE {same_key})
    RETURNING l.{parent} AS id
)
UPDATE merge_changes c SET differs = true WHERE NOT differs AND c.id IN (SELECT id FROM gone)
