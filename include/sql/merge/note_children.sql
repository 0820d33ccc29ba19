-- Records whose rows differ have changed; those of equal rows only look different in the file.
UPDATE merge_changes c SET differs = true
WHERE NOT c.differs AND c.id IN (SELECT {parent} FROM merge_rows)
