-- The records that a month's dump lacks for the first time, with the last month that had them.
-- psql -v month=2026-10 -f vanished.sql
SELECT 'labels' AS entity, id, name, last_seen FROM labels WHERE removed_in = :'month'
UNION ALL
SELECT 'artists', id, name, last_seen FROM artists WHERE removed_in = :'month'
UNION ALL
SELECT 'masters', id, title, last_seen FROM masters WHERE removed_in = :'month'
UNION ALL
SELECT 'releases', id, title, last_seen FROM releases WHERE removed_in = :'month'
ORDER BY entity, id
