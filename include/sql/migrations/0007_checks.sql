-- The results of the checks after a month's merges, so that its report can be made at any time.

ALTER TABLE discogs_data_processing ADD COLUMN checks jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN discogs_data_processing.checks IS 'Results of the checks after the merges: {name, passed, value, detail} each';
