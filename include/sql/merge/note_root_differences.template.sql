-- Template: composed with psycopg.sql; does not run as it is.
-- Which records differ in their root row, and in which columns.
INSERT INTO merge_differences (id, table_name, columns, old)
SELECT id, {table}, {changed_columns}, old
FROM (SELECT id, changed_bits, old FROM merge_changes WHERE changed_bits <> 0) AS found
