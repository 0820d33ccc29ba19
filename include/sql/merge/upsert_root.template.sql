-- Template: composed with psycopg.sql; does not run as it is.
-- The root rows. A record of the newest month is live; a record that only an older month has is
-- removed as of the first merged month after it.
INSERT INTO {live} ({columns}, placeholder, removed_in, last_seen)
SELECT {columns}, false, %(removed_in)s, %(last_seen)s
FROM {staged}
WHERE NOT placeholder
ON CONFLICT (id) DO UPDATE SET
    {assignments},
    placeholder = false,
    removed_in = excluded.removed_in,
    last_seen = excluded.last_seen
