-- Template: composed with psycopg.sql; does not run as it is.
-- The records whose rows of a child table differ, and the columns that differ.
INSERT INTO merge_differences (id, table_name, columns, old)
SELECT id, {table}, {changed_columns}, old
FROM (
    SELECT c.id, bit_or(m.merge_changed_bits) AS changed_bits,
        jsonb_agg(m.merge_old ORDER BY {order}) FILTER (WHERE m.merge_old IS NOT NULL) AS old
    FROM merge_rows m
    JOIN merge_changes c ON c.id = m.{parent}
    WHERE c.change <> 'added'
    GROUP BY c.id
) AS found
