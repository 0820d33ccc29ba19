-- Template: composed with psycopg.sql; does not run as it is.
-- The records whose root row differs, and the columns that differ.
INSERT INTO merge_differences (id, table_name, columns, old)
SELECT id, {table}, {changed_columns}, old
FROM (SELECT id, changed_bits, old FROM merge_changes WHERE changed_bits <> 0) AS found
