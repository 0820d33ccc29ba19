-- Beside the rows: what the dump lacks, which names its rows use, and what was rejected.
CREATE UNLOGGED TABLE {absent} (shard integer NOT NULL, id integer NOT NULL);
CREATE UNLOGGED TABLE {names} (
    shard integer NOT NULL, kind text NOT NULL, id bigint NOT NULL, name text NOT NULL
);
CREATE UNLOGGED TABLE {rejected} (
    shard       integer NOT NULL,
    byte_offset bigint NOT NULL,
    record_id   integer,
    reason      text NOT NULL,
    xml         text NOT NULL
)
