-- Rows that are there and say something else now; the equal ones are left untouched.
WITH changed AS (
    UPDATE {live} l SET {assignments}
    FROM {staged} s
    WHERE {same_key} AND ({live_values}) IS DISTINCT FROM ({staged_values})
    RETURNING l.{parent} AS id
)
UPDATE merge_changes c SET differs = true WHERE NOT differs AND c.id IN (SELECT id FROM changed)
