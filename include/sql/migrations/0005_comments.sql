-- Comments of the bookkeeping tables; those of the tables that hold the dump come from the
-- mapping, each time the migrations run.

COMMENT ON COLUMN entity_loads.year_month IS 'Month of the dump, YYYY-MM';
COMMENT ON COLUMN entity_loads.entity IS 'labels, artists, masters or releases';
COMMENT ON COLUMN entity_loads.report IS 'Counts and times of the load, as in the month''s report';
COMMENT ON COLUMN entity_loads.merged_at IS 'When the merge was committed';

COMMENT ON COLUMN staged_shards.year_month IS 'Month of the dump, YYYY-MM';
COMMENT ON COLUMN staged_shards.entity IS 'labels, artists, masters or releases';
COMMENT ON COLUMN staged_shards.shard IS 'Number of the shard, from 0: record id modulo shards';
COMMENT ON COLUMN staged_shards.shards IS 'Number of shards that the entity is staged in';
COMMENT ON COLUMN staged_shards.generation IS 'entity_loads.generation when the shard was staged';
COMMENT ON COLUMN staged_shards.report IS 'Counts and times of the staging';
COMMENT ON COLUMN staged_shards.staged_at IS 'When the shard was complete';

COMMENT ON COLUMN rejected_records.id IS 'Number of the row';
COMMENT ON COLUMN rejected_records.year_month IS 'Month of the dump, YYYY-MM';
COMMENT ON COLUMN rejected_records.entity IS 'labels, artists, masters or releases';
COMMENT ON COLUMN rejected_records.record_id IS 'Id of the record; NULL where it cannot be read';
COMMENT ON COLUMN rejected_records.reason IS 'Why the record became no row';
COMMENT ON COLUMN rejected_records.created_at IS 'When the row was written';

COMMENT ON COLUMN entity_changes.year_month IS 'Month whose load changed the record, YYYY-MM';
COMMENT ON COLUMN entity_changes.entity IS 'labels, artists, masters or releases';
COMMENT ON COLUMN entity_changes.id IS 'Id of the record';
COMMENT ON COLUMN entity_changes.change IS 'added, changed, removed or restored';

COMMENT ON COLUMN schema_migrations.version IS 'Number of the migration';
COMMENT ON COLUMN schema_migrations.name IS 'Name of the migration';
COMMENT ON COLUMN schema_migrations.checksum IS 'SHA-256 of the file''s text, hexadecimal';
COMMENT ON COLUMN schema_migrations.applied_at IS 'When the migration was applied';
