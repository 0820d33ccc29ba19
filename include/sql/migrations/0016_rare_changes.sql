-- The rare kinds of change, which people look for first, without a scan of the month.

CREATE INDEX entity_changes_rare_idx ON entity_changes (year_month, entity, id)
    WHERE change <> 'added' AND change <> 'changed';
