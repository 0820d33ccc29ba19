-- Template: composed with psycopg.sql; does not run as it is.
-- What the month does to each record that it brings: decided before anything is written.
-- An older month can add a record, or give a removed one newer content; it restores none.
INSERT INTO merge_changes (id, change, differs)
SELECT
    s.id,
    CASE
        WHEN l.id IS NULL OR l.placeholder THEN 'added'
        WHEN l.removed_in IS NOT NULL AND %(newest)s THEN 'restored'
        ELSE 'changed'
    END,
    l.id IS NOT NULL AND NOT l.placeholder AND ({live_values}) IS DISTINCT FROM ({staged_values})
FROM {staged} s
LEFT JOIN {live} l ON l.id = s.id
