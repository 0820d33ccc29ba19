-- Template: composed with psycopg.sql; does not run as it is.
-- An older month lacks records that an even older one had: they were gone by then already.
UPDATE {live} l SET removed_in = %(month)s
FROM {absent} a
WHERE l.id = a.id AND l.removed_in > %(month)s AND l.last_seen < %(month)s
