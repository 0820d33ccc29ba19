-- Template: composed with psycopg.sql; does not run as it is.
-- The extra tables of an entity: ids absent from the dump, ids that the filter leaves out, names and
-- ids that the rows refer to, rejected records, and the claim of each shard by an attempt to stage it.
-- They are unlogged, so a crash of the server empties them. It also empties the staging tables
-- that are unlogged; the empty table of claims shows that.
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
