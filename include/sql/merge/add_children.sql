-- In the order of the key, so that neighbours in the table and in its indexes are written together.
INSERT INTO {live} ({columns})
SELECT {columns} FROM merge_rows WHERE merge_change = 'new' ORDER BY {key}
