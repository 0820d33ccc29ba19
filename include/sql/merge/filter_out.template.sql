-- Template: composed with psycopg.sql; does not run as it is.
-- Turns stored records that the filter leaves out into placeholders, since other rows may refer to
-- them.
WITH filtered AS (
    UPDATE {live} l SET {cleared}, placeholder = true, removed_in = NULL, last_seen = NULL
    FROM {filtered} f, {live} was
    WHERE l.id = f.id AND was.id = f.id AND NOT l.placeholder
    RETURNING l.id, was.removed_in IS NULL AS was_live
)
INSERT INTO merge_changes (id, change, changed_bits)
SELECT id, 'filtered', 0 FROM filtered WHERE was_live
