DELETE FROM {live} l USING merge_rows s WHERE s.merge_change = 'gone' AND {same_key}
