-- Rows that were not there.
WITH new AS (
    INSERT INTO {live} ({columns})
    SELECT {staged_columns}
    FROM {staged} s
    WHERE NOT EXISTS (SELECT FROM {live} l WHERE {same_key})
    RETURNING {parent} AS id
)
UPDATE merge_changes c SET differs = true WHERE NOT differs AND c.id IN (SELECT id FROM new)
