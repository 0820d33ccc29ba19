-- A label and all labels below it, indented by depth.
-- psql -v label=26 -f label_tree.sql
WITH RECURSIVE tree AS (
    SELECT id, name, 0 AS depth, ARRAY[id] AS path FROM labels WHERE id = :label
    UNION ALL
    SELECT l.id, l.name, t.depth + 1, t.path || l.id
    FROM tree t
    JOIN labels l ON l.parent_id = t.id
    WHERE l.removed_in IS NULL AND l.id <> ALL (t.path)
)
SELECT repeat('  ', depth) || coalesce(name, '(no name)') AS label, id
FROM tree
ORDER BY path
