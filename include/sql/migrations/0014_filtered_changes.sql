-- Both kinds of change that are no edit of Discogs': rejected (0013) and filtered (0011).

ALTER TABLE entity_changes DROP CONSTRAINT entity_changes_change_check;
ALTER TABLE entity_changes ADD CONSTRAINT entity_changes_change_check
    CHECK (change IN ('added', 'changed', 'removed', 'restored', 'rejected', 'filtered'));
COMMENT ON COLUMN entity_changes.change IS 'added, changed, removed or restored; rejected: the month''s record could not be read (rejected_records says why), and the row is still that of an earlier month; filtered: Discogs has the record, and the filter leaves it out from this month on';
