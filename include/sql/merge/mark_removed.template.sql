-- Template: composed with psycopg.sql; does not run as it is.
-- Records that are absent from the newest month keep their rows, marked with the month.
WITH removed AS (
    UPDATE {live} l SET removed_in = %(month)s, last_seen = %(previous)s
    FROM {absent} a
    WHERE l.id = a.id AND l.removed_in IS NULL AND NOT l.placeholder
    RETURNING l.id
)
INSERT INTO merge_changes (id, change, changed_bits) SELECT id, 'removed', 0 FROM removed
