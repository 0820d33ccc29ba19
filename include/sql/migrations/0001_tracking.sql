-- Where each month stands. Airflow's tasks and the command line write here; the page,
-- `python -m discogs status` and downstream readers read here.

CREATE TYPE processing_status AS ENUM (
    'not_started', 'downloading', 'ready_for_processing', 'processing', 'completed', 'failed'
);

CREATE TABLE discogs_data_processing (
    id uuid PRIMARY KEY,
    year_month text NOT NULL UNIQUE
        CONSTRAINT year_month_is_a_month CHECK (year_month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    status processing_status NOT NULL DEFAULT 'not_started',
    dump_date date,
    file_checksums jsonb NOT NULL DEFAULT '{}',
    retry_count int NOT NULL DEFAULT 0
        CONSTRAINT retry_count_is_not_negative CHECK (retry_count >= 0),
    error_message text,
    processing_stats jsonb NOT NULL DEFAULT '{}',
    dag_id text,
    run_id text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    download_completed_at timestamptz,
    processing_completed_at timestamptz
);

-- year_month has the index of its UNIQUE constraint.
CREATE INDEX discogs_data_processing_status ON discogs_data_processing (status);

COMMENT ON TABLE discogs_data_processing IS 'One row a month: where its load stands';
COMMENT ON COLUMN discogs_data_processing.id IS 'UUID version 7, so ids ascend in time';
COMMENT ON COLUMN discogs_data_processing.year_month IS 'The dump''s month, YYYY-MM';
COMMENT ON COLUMN discogs_data_processing.status IS 'Where the month stands; the package allows only legal moves';
COMMENT ON COLUMN discogs_data_processing.dump_date IS 'The day in the dump''s file names';
COMMENT ON COLUMN discogs_data_processing.file_checksums IS 'File name to {expected, actual, size, validated_at}: SHA-256 as published and as computed, bytes, time';
COMMENT ON COLUMN discogs_data_processing.retry_count IS 'Failed attempts since the month last left completed or was first seen';
COMMENT ON COLUMN discogs_data_processing.error_message IS 'Why the month failed; NULL in every other status';
COMMENT ON COLUMN discogs_data_processing.processing_stats IS 'Entity to {read, unchanged, inserted, updated, removed, restored, rejected, seconds, bytes}';
COMMENT ON COLUMN discogs_data_processing.dag_id IS 'The DAG whose run last moved the month';
COMMENT ON COLUMN discogs_data_processing.run_id IS 'The run that last moved the month';
COMMENT ON COLUMN discogs_data_processing.created_at IS 'When the month was first seen';
COMMENT ON COLUMN discogs_data_processing.updated_at IS 'When anything in this row last changed';
COMMENT ON COLUMN discogs_data_processing.started_at IS 'When the latest attempt began';
COMMENT ON COLUMN discogs_data_processing.download_completed_at IS 'When every file was there and its checksum right';
COMMENT ON COLUMN discogs_data_processing.processing_completed_at IS 'When the month was merged and checked';

CREATE TABLE discogs_data_processing_files (
    year_month text NOT NULL REFERENCES discogs_data_processing (year_month) ON DELETE CASCADE,
    file_name text NOT NULL,
    url text,
    size bigint CONSTRAINT size_is_not_negative CHECK (size >= 0),
    bytes_done bigint NOT NULL DEFAULT 0
        CONSTRAINT bytes_done_is_not_negative CHECK (bytes_done >= 0),
    sha256 text CONSTRAINT sha256_is_64_hex_digits CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    state text NOT NULL DEFAULT 'pending'
        CONSTRAINT state_is_known
        CHECK (state IN ('pending', 'downloading', 'downloaded', 'verified', 'failed', 'deleted')),
    attempts int NOT NULL DEFAULT 0
        CONSTRAINT attempts_is_not_negative CHECK (attempts >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    completed_at timestamptz,
    PRIMARY KEY (year_month, file_name)
);

COMMENT ON TABLE discogs_data_processing_files IS 'One row a month and file: the progress of its download';
COMMENT ON COLUMN discogs_data_processing_files.year_month IS 'The dump''s month, YYYY-MM';
COMMENT ON COLUMN discogs_data_processing_files.file_name IS 'The file''s name, as published';
COMMENT ON COLUMN discogs_data_processing_files.url IS 'Where it is fetched from';
COMMENT ON COLUMN discogs_data_processing_files.size IS 'Bytes of the whole file, when known';
COMMENT ON COLUMN discogs_data_processing_files.bytes_done IS 'Bytes that are stored so far; a resume goes on from here';
COMMENT ON COLUMN discogs_data_processing_files.sha256 IS 'SHA-256 of the stored bytes, hexadecimal, once all are there';
COMMENT ON COLUMN discogs_data_processing_files.state IS 'pending, downloading, downloaded, verified (its checksum is right), failed or deleted (after the load)';
COMMENT ON COLUMN discogs_data_processing_files.attempts IS 'How often its download began';
COMMENT ON COLUMN discogs_data_processing_files.created_at IS 'When the file was first listed';
COMMENT ON COLUMN discogs_data_processing_files.updated_at IS 'When anything in this row last changed';
COMMENT ON COLUMN discogs_data_processing_files.started_at IS 'When its latest download began';
COMMENT ON COLUMN discogs_data_processing_files.completed_at IS 'When its last byte was stored';
