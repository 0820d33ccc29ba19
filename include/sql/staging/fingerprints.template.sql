-- Template: composed with psycopg.sql; does not run as it is.
-- Ids, fingerprints and states of the records in a range of ids, as one value: 14 bytes per record.
-- The state is 0 for a live record, -1 for a placeholder, and for a removed record the number of the
-- last month that had it.
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
