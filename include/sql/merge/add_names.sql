-- Two months may bring the same name at once: the second finds it there.
INSERT INTO {live} (id, name)
SELECT DISTINCT id, name FROM {staged} WHERE kind = %(kind)s
ON CONFLICT DO NOTHING
