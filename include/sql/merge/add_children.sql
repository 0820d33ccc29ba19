INSERT INTO {live} ({columns}) SELECT {columns} FROM merge_rows WHERE merge_change = 'new'
