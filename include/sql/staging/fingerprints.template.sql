-- Template: composed with psycopg.sql; does not run as it is.
-- Ids, fingerprints and states of a span of ids, packed into one value of 14 bytes a record.
-- State: 0 live, -1 placeholder, else the number of the last month that had the record.
SELECT string_agg(
    int4send(id) || int8send(coalesce(fingerprint, 0)) || int2send(
        CASE
            WHEN placeholder THEN -1
            WHEN removed_in IS NULL THEN 0
            ELSE substr(last_seen, 1, 4)::integer * 12 + substr(last_seen, 6, 2)::integer
        END::smallint
    ),
    ''::bytea ORDER BY id
)
FROM {root}
WHERE id >= %(low)s AND id < %(high)s AND id %% %(shards)s = %(shard)s
