-- What each month's load did, and what is waiting to be merged.

CREATE TABLE entity_loads (
    year_month text NOT NULL CHECK (year_month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    entity     text NOT NULL,
    generation bigint NOT NULL,
    records    bigint NOT NULL,
    report     jsonb NOT NULL,
    merged_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (year_month, entity)
);
COMMENT ON TABLE entity_loads IS 'The months merged into each entity''s tables.';
COMMENT ON COLUMN entity_loads.generation IS 'Counts the entity''s merges; rows staged against an older one are stale.';
COMMENT ON COLUMN entity_loads.records IS 'Records in the month''s dump.';

CREATE TABLE staged_shards (
    year_month text NOT NULL,
    entity     text NOT NULL,
    shard      integer NOT NULL,
    shards     integer NOT NULL,
    generation bigint NOT NULL,
    report     jsonb NOT NULL,
    staged_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (year_month, entity, shard)
);
COMMENT ON TABLE staged_shards IS 'Shards whose rows lie complete in the staging schema, waiting for their merge.';

CREATE TABLE rejected_records (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    year_month  text NOT NULL,
    entity      text NOT NULL,
    byte_offset bigint NOT NULL,
    record_id   integer,
    reason      text NOT NULL,
    xml         text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rejected_records_year_month_entity_idx ON rejected_records (year_month, entity);
COMMENT ON TABLE rejected_records IS 'Records of a dump that became no row, and why.';
COMMENT ON COLUMN rejected_records.byte_offset IS 'Where the record starts in the unpacked file.';
COMMENT ON COLUMN rejected_records.xml IS 'The record as it stands in the dump, cut at 64 KiB.';

CREATE TABLE entity_changes (
    year_month text NOT NULL,
    entity     text NOT NULL,
    id         integer NOT NULL,
    change     text NOT NULL CHECK (change IN ('added', 'changed', 'removed', 'restored')),
    PRIMARY KEY (year_month, entity, id)
);
COMMENT ON TABLE entity_changes IS 'The change feed: what a month''s load changed; a first load writes none.';
