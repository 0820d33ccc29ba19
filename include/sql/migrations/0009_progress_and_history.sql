-- One row a load, so that loading a month again keeps the numbers of its earlier loads.
ALTER TABLE entity_loads DROP CONSTRAINT entity_loads_pkey;
ALTER TABLE entity_loads ADD PRIMARY KEY (entity, generation);
CREATE INDEX entity_loads_year_month_entity_idx ON entity_loads (year_month, entity);
ALTER TABLE entity_loads ADD COLUMN dag_id text, ADD COLUMN run_id text;
COMMENT ON TABLE entity_loads IS 'One row a load of an entity: a month that was loaded again has several.';
COMMENT ON COLUMN entity_loads.dag_id IS 'DAG whose run did the load, or command line; NULL before this was recorded';
COMMENT ON COLUMN entity_loads.run_id IS 'Run that did the load';

-- How far the loads at work are.
CREATE TABLE load_steps (
    year_month  text NOT NULL CHECK (year_month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    entity      text NOT NULL,
    step        text NOT NULL,
    shard       integer NOT NULL,
    shards      integer NOT NULL,
    done        bigint NOT NULL,
    total       bigint,
    unit        text NOT NULL CHECK (unit IN ('bytes', 'parts')),
    records     bigint,
    detail      text,
    started_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    PRIMARY KEY (year_month, entity, step, shard)
);
COMMENT ON TABLE load_steps IS 'Steps of the loads at work that take longer than a second; a month''s rows go when it is completed. Read load_progress, which has the downloads too.';
COMMENT ON COLUMN load_steps.year_month IS 'Month of the dump, YYYY-MM';
COMMENT ON COLUMN load_steps.entity IS 'labels, artists, masters or releases';
COMMENT ON COLUMN load_steps.step IS 'verify, stage, keys or merge';
COMMENT ON COLUMN load_steps.shard IS 'Number of the shard, from 0';
COMMENT ON COLUMN load_steps.shards IS 'Number of shards that the entity is staged in';
COMMENT ON COLUMN load_steps.done IS 'Bytes of the packed file that were read, or parts of the step that have ended';
COMMENT ON COLUMN load_steps.total IS 'Bytes of the packed file, or parts of the step; NULL when not known';
COMMENT ON COLUMN load_steps.unit IS 'What done and total count: bytes or parts';
COMMENT ON COLUMN load_steps.records IS 'Records read so far, where the step reads records';
COMMENT ON COLUMN load_steps.detail IS 'What is being done, such as the table that is merged';
COMMENT ON COLUMN load_steps.started_at IS 'When this attempt at the step began';
COMMENT ON COLUMN load_steps.updated_at IS 'When the process at work last wrote, every few seconds while it lives';
COMMENT ON COLUMN load_steps.finished_at IS 'When the step was done; NULL while it is at work, and when it failed';

ALTER TABLE discogs_data_processing_files ADD COLUMN error_message text;
COMMENT ON COLUMN discogs_data_processing_files.error_message IS 'Why its last download or verification failed; NULL in every other state';

CREATE VIEW load_progress AS
SELECT
    year_month, entity, step, shard, shards, done, total, unit, records, detail,
    started_at, updated_at, finished_at
FROM load_steps
UNION ALL
SELECT
    f.year_month, substring(f.file_name FROM '_([a-z]+)\.xml\.gz$'), 'download', 0, 1,
    f.bytes_done, f.size, 'bytes', NULL, f.error_message,
    f.started_at, f.updated_at, f.completed_at
FROM discogs_data_processing_files f
JOIN discogs_data_processing m ON m.year_month = f.year_month
WHERE f.started_at IS NOT NULL AND m.status NOT IN ('not_started', 'completed');
COMMENT ON VIEW load_progress IS 'How far each step of a load is, of the months at work and of failed ones';
COMMENT ON COLUMN load_progress.year_month IS 'Month of the dump, YYYY-MM';
COMMENT ON COLUMN load_progress.entity IS 'labels, artists, masters or releases';
COMMENT ON COLUMN load_progress.step IS 'download, verify, stage, keys or merge';
COMMENT ON COLUMN load_progress.shard IS 'Number of the shard, from 0';
COMMENT ON COLUMN load_progress.shards IS 'Number of shards that the entity is staged in';
COMMENT ON COLUMN load_progress.done IS 'Bytes of the packed file that were fetched or read, or parts of the step that have ended';
COMMENT ON COLUMN load_progress.total IS 'Bytes of the packed file, or parts of the step; NULL when not known';
COMMENT ON COLUMN load_progress.unit IS 'What done and total count: bytes or parts';
COMMENT ON COLUMN load_progress.records IS 'Records read so far, where the step reads records';
COMMENT ON COLUMN load_progress.detail IS 'What is being done, such as the table that is merged; of a failed download, its error';
COMMENT ON COLUMN load_progress.started_at IS 'When this attempt at the step began';
COMMENT ON COLUMN load_progress.updated_at IS 'When the process at work last wrote, every few seconds while it lives';
COMMENT ON COLUMN load_progress.finished_at IS 'When the step was done; NULL while it is at work, and when it failed';
