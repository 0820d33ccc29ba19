UPDATE {live} l SET {assignments} FROM merge_rows s WHERE s.merge_change = 'changed' AND {same_key}
