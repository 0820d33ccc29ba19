-- The releases whose country a month changed, with the previous country. Needs DISCOGS_OLD_VALUES=on
-- when the month is loaded; otherwise the previous country is NULL.
-- psql -v month=2026-10 -f country_changes.sql
SELECT c.id, r.title, c.old_values -> 'releases' ->> 'country' AS before, r.country AS now
FROM entity_changes c
JOIN releases r ON r.id = c.id
WHERE c.year_month = :'month' AND c.entity = 'releases' AND 'releases.country' = ANY (c.columns)
ORDER BY c.id
