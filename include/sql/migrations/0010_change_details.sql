-- What differs in a changed record, so that "whose country changed" is a query.

ALTER TABLE entity_changes
    ADD COLUMN tables text[],
    ADD COLUMN columns text[],
    ADD COLUMN old_values jsonb;
COMMENT ON COLUMN entity_changes.tables IS 'Of a changed or restored record: the tables whose rows differ from before, those with rows added or gone included; NULL where none does, and for changes logged before this column was there';
COMMENT ON COLUMN entity_changes.columns IS 'The columns that differ in rows that were there before, as table.column';
COMMENT ON COLUMN entity_changes.old_values IS 'What they held before, where DISCOGS_OLD_VALUES is on: {root table: {column: value}, child table: [{key and columns that differ, or the whole row that is gone}]}';
