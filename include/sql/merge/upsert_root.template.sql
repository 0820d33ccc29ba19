-- Template: composed with psycopg.sql; does not run as it is.
-- The records themselves. Seen in the newest month they are live; seen in an older month only,
-- they are removed as of the first loaded month after it.
INSERT INTO {live} ({columns}, placeholder, removed_in, last_seen)
SELECT {columns}, false, %(removed_in)s, %(last_seen)s
FROM {staged}
WHERE NOT placeholder
ON CONFLICT (id) DO UPDATE SET
    {assignments},
    placeholder = false,
    removed_in = excluded.removed_in,
    last_seen = excluded.last_seen
