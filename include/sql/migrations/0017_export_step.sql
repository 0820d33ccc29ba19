-- A load with DISCOGS_EXPORT has the step export, too.

COMMENT ON COLUMN load_steps.step IS 'verify, stage, keys, merge or export';
COMMENT ON COLUMN load_progress.step IS 'download, verify, stage, keys, merge or export';
