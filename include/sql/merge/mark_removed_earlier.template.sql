-- Template: composed with psycopg.sql; does not run as it is.
-- Records that are absent from an older month and were last seen before it were removed by then.
UPDATE {live} l SET removed_in = %(month)s
FROM {absent} a
WHERE l.id = a.id AND l.removed_in > %(month)s AND l.last_seen < %(month)s
