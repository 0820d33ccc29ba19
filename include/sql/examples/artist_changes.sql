-- The changes to an artist, newest month first: to the artist's own record, and to the releases that
-- have the artist among their artists or credits.
-- psql -v artist=1288 -f artist_changes.sql
WITH works AS (
    SELECT release_id FROM release_artists WHERE artist_id = :artist
    UNION
    SELECT release_id FROM release_credits WHERE artist_id = :artist
)
SELECT c.year_month, c.entity, c.id, coalesce(a.name, r.title) AS title, c.change, c.columns
FROM entity_changes c
LEFT JOIN artists a ON a.id = c.id AND c.entity = 'artists'
LEFT JOIN releases r ON r.id = c.id AND c.entity = 'releases'
WHERE (c.entity = 'artists' AND c.id = :artist)
    OR (c.entity = 'releases' AND c.id IN (SELECT release_id FROM works))
ORDER BY c.year_month DESC, c.entity, c.id
