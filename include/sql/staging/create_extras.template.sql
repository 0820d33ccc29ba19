-- Template: composed with psycopg.sql; does not run as it is.
-- Beside the rows: what the dump lacks, what the filter leaves out, which names its rows use and which records
-- they refer to, what was rejected, and which
-- try owns each shard. Unlogged, so a crash of the server empties them, and most tables of rows
-- with them; the empty table of claims shows that the rows are gone.
CREATE UNLOGGED TABLE {absent} (shard integer NOT NULL, id integer NOT NULL);
CREATE UNLOGGED TABLE {filtered} (shard integer NOT NULL, id integer NOT NULL);
CREATE UNLOGGED TABLE {left_out} (shard integer NOT NULL, ids bytea NOT NULL);
CREATE UNLOGGED TABLE {names} (
    shard integer NOT NULL, kind text NOT NULL, id bigint NOT NULL, name text NOT NULL
);
CREATE UNLOGGED TABLE {referenced} (
    shard integer NOT NULL, kind text NOT NULL, id integer NOT NULL
);
CREATE UNLOGGED TABLE {rejected} (
    shard       integer NOT NULL,
    byte_offset bigint NOT NULL,
    record_id   integer,
    reason      text NOT NULL,
    xml         text NOT NULL
);
CREATE UNLOGGED TABLE {claims} (
    shard    integer PRIMARY KEY,
    claim    uuid NOT NULL,
    complete boolean NOT NULL
)
