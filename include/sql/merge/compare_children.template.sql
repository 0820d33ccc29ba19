-- Template: composed with psycopg.sql; does not run as it is.
-- The live and the staged rows of the staged records, compared: only rows that are new, gone or
-- changed are written, so an edit of one row of a record writes one row.
CREATE TEMP TABLE merge_rows ON COMMIT DROP AS
SELECT
    CASE WHEN l.{parent} IS NULL THEN 'new' WHEN s.{parent} IS NULL THEN 'gone' ELSE 'changed' END
        AS merge_change,
    CASE WHEN l.{parent} IS NULL OR s.{parent} IS NULL THEN 0 ELSE {changed_bits} END
        AS merge_changed_bits,
    {old} AS merge_old,
    {keys},
    {staged_values}
FROM {staged} s
FULL JOIN (
    SELECT c.* FROM {live} c JOIN {staged_root} r ON c.{parent} = r.id
) l ON {same_key}
WHERE l.{parent} IS NULL OR s.{parent} IS NULL
    OR ({live_values}) IS DISTINCT FROM ({staged_values})
