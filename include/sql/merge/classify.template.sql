-- Template: composed with psycopg.sql; does not run as it is.
-- The change that the merge makes to each staged record, decided before any row is written.
-- An older month can add a record, or change a removed one; it restores none.
-- Each bit of changed_bits stands for a column of the root table that differs.
INSERT INTO merge_changes (id, change, changed_bits, old)
SELECT
    s.id,
    CASE
        WHEN l.id IS NULL OR l.placeholder THEN 'added'
        WHEN l.removed_in IS NOT NULL AND %(newest)s THEN 'restored'
        ELSE 'changed'
    END,
    CASE WHEN l.id IS NULL OR l.placeholder THEN 0 ELSE {changed_bits} END,
    CASE WHEN NOT l.placeholder THEN {old} END
FROM {staged} s
LEFT JOIN {live} l ON l.id = s.id
