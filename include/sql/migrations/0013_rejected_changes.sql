-- A record that this month's dump has and that could not be read keeps the row of an earlier month.

ALTER TABLE entity_changes DROP CONSTRAINT entity_changes_change_check;
ALTER TABLE entity_changes ADD CONSTRAINT entity_changes_change_check
    CHECK (change IN ('added', 'changed', 'removed', 'restored', 'rejected'));
COMMENT ON COLUMN entity_changes.change IS 'added, changed, removed, restored, or rejected: the month''s record could not be read (rejected_records says why), and the row is still that of an earlier month';
