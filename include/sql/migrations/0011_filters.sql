-- Loading a part of the catalogue: what a filter leaves out is known, and is not removed.

CREATE TABLE filtered_records (
    year_month text NOT NULL,
    entity     text NOT NULL,
    shard      integer NOT NULL,
    ids        bytea NOT NULL,
    PRIMARY KEY (year_month, entity, shard)
);
COMMENT ON TABLE filtered_records IS 'The records of each loaded month that the filter left out: an older month that is loaded later must not bring them back';
COMMENT ON COLUMN filtered_records.year_month IS 'Month of the dump, YYYY-MM';
COMMENT ON COLUMN filtered_records.entity IS 'labels, artists, masters or releases';
COMMENT ON COLUMN filtered_records.shard IS 'Number of the shard that read them, from 0';
COMMENT ON COLUMN filtered_records.ids IS 'Their ids in ascending order: zlib of the differences, as 32-bit little-endian integers';

ALTER TABLE entity_changes DROP CONSTRAINT entity_changes_change_check;
ALTER TABLE entity_changes ADD CONSTRAINT entity_changes_change_check
    CHECK (change IN ('added', 'changed', 'removed', 'restored', 'filtered'));
COMMENT ON COLUMN entity_changes.change IS 'added, changed, removed, restored, or filtered: Discogs has it, and the filter leaves it out from this month on';
